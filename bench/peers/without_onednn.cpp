// SPDX-License-Identifier: Apache-2.0
// In place of onednn.cpp in builds without oneDNN: nothing is to be had.
#include "peers/onednn.hpp"

namespace bench::onednn {

std::string version() { return ""; }
void set_threads(int) {}
std::function<void()> softmax(const void*, void*, int64_t, int64_t, int32_t, bool) { return {}; }
std::function<void()> matmul(const void*, const void*, float*, int64_t, int64_t, int64_t, int32_t, bool, B) { return {}; }
std::function<void()> sgemm(const float*, const float*, float*, int64_t, int64_t, int64_t, bool, bool) { return {}; }
bool has_bf16() { return false; }

}  // namespace bench::onednn
