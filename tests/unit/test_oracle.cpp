// SPDX-License-Identifier: Apache-2.0
// The oracle and the helpers of the other tests, against the shared vectors and known answers.
#include "reference/softmax_oracle.hpp"
#include "support/arrays.hpp"
#include "support/dtypes.hpp"
#include "support/guarded.hpp"
#include "support/json_vectors.hpp"
#include "support/sha256.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using namespace vmx::test;
using vmx::reference::Real;

// Vectors carry 20 digits, long double 19. Their makers took differences of 120 digits: what is far below may be 0 there.
constexpr Real kDigits = 1e-18L;

void expect_equal(Real actual, Real expected, Real scale) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << actual;
  } else if (std::isinf(expected)) {
    EXPECT_EQ(actual, expected);
  } else {
    EXPECT_NEAR(static_cast<double>(actual - expected), 0, static_cast<double>(8 * kDigits * scale + 1e-100L)) << expected;
  }
}

TEST(Oracle, SoftmaxVectors) {
  for (const auto& test : load_vectors("smooth.json")) {
    if (test.op != "softmax" && test.op != "softmax_t") continue;
    SCOPED_TRACE(test.id);
    const double t = test.in.contains("temperature") ? static_cast<double>(float_in(test.in["temperature"])) : 1.0;
    const auto row = vmx::reference::softmax(floats_in(test.in["z"]), t);
    const Real lse = real_out(test.out["lse"]);
    expect_equal(row.lse, lse, std::fmax(1, std::fabs(lse)));
    for (const char* key : {"softmax", "log_softmax"}) {
      if (!test.out.contains(key) || test.out[key].is_null()) continue;
      const auto expected = reals_out(test.out[key]);
      const auto& actual = key[0] == 's' ? row.p : row.log_p;
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t c = 0; c < expected.size(); ++c) {
        const Real d = std::isfinite(row.distance[c]) ? row.distance[c] : 0;
        expect_equal(actual[c], expected[c], std::fabs(expected[c]) * (key[0] == 's' ? 1 + d : 1));
      }
    }
  }
}

TEST(Oracle, CrossEntropyVectors) {
  for (const auto& test : load_vectors("smooth.json", "cross_entropy")) {
    SCOPED_TRACE(test.id);
    vmx::reference::CrossEntropyOptions options;
    const auto scalar = [&](const char* key, double* value) {
      if (test.in.contains(key)) *value = static_cast<double>(float_in(test.in[key]));
    };
    scalar("label_smoothing", &options.label_smoothing);
    scalar("softcap", &options.softcap);
    scalar("z_loss", &options.z_loss);
    if (test.in.contains("class_weight")) {
      for (const double w : floats_in(test.in["class_weight"])) options.class_weight.push_back(static_cast<float>(w));
    }
    const auto row = vmx::reference::cross_entropy(floats_in(test.in["z"]), {{test.in["label"], 1.0}}, options);
    const Real loss = real_out(test.out["loss"]);
    expect_equal(row.loss + row.z_loss, loss, std::fabs(loss));
    const auto grad = reals_out(test.out["grad"]);
    ASSERT_EQ(grad.size(), row.grad.size());
    for (size_t c = 0; c < grad.size(); ++c) expect_equal(row.grad[c], grad[c], 64 * row.grad_terms[c]);
  }
}

TEST(Oracle, Rounding) {
  EXPECT_EQ(rounded(1 + 0x1p-8L, VMX_BF16), 1.0);  // ties to even
  EXPECT_EQ(rounded(1 + 0x3p-8L, VMX_BF16), 1 + 0x1p-6);
  EXPECT_EQ(rounded(65519.9L, VMX_F16), 65504.0);
  EXPECT_EQ(rounded(65520.0L, VMX_F16), std::numeric_limits<double>::infinity());
  EXPECT_EQ(rounded(0x1p-25L, VMX_F16), 0.0);
  EXPECT_EQ(rounded(0x1.8p-25L, VMX_F16), 0x1p-24);
  EXPECT_EQ(rounded(-0x1.fffffefp+127L, VMX_F32), -0x1.fffffep+127);
  EXPECT_EQ(rounded(0x1.000001p-126L, VMX_F32), 0x1p-126);
  for (const int32_t dtype : {VMX_BF16, VMX_F16}) {  // every number comes back
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      const auto before = static_cast<uint16_t>(bits);
      const double value = value_of(&before, dtype);
      if (std::isnan(value)) continue;
      uint16_t after;
      put(&after, dtype, static_cast<long double>(value));
      ASSERT_EQ(after, before) << name_of(dtype);
    }
  }
}

TEST(Oracle, Sha256KnownAnswers) {
  const auto hash = [](const std::string& text) {
    Sha256 sha;
    sha.add(text.data(), text.size());
    return sha.hex();
  };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Oracle, Layouts) {
  for (const Layout& layout : {Layout{}, Layout{.row_pad = 3, .offset = 1}, Layout{.step = 2, .transposed = true},
                               Layout{.reversed_rows = true}, Layout{.step = 3, .reversed_cols = true},
                               Layout{.transposed = true, .reversed_rows = true, .reversed_cols = true}}) {
    Matrix m(VMX_F32, 3, 5, layout);
    for (int r = 0; r < 3; ++r) {
      for (int c = 0; c < 5; ++c) m.set(r, c, 10 * r + c);
    }
    EXPECT_EQ(m.row(2), (std::vector<double>{20, 21, 22, 23, 24}));
    EXPECT_EQ(Matrix(m).bytes(), m.bytes());
    EXPECT_TRUE(m.surroundings_untouched());
  }
  Matrix m(VMX_F32, 2, 2, Layout{.row_pad = 1});
  static_cast<float*>(m.at(0, 0))[2] = 0;
  EXPECT_FALSE(m.surroundings_untouched());
}

TEST(OracleDeathTest, GuardPages) {
  GuardedBuffer buffer(100);
  volatile unsigned char* start = buffer.at_start();
  volatile unsigned char* end = buffer.at_end(100) + 100;
  start[0] = 1;
  end[-1] = 1;
  EXPECT_DEATH(start[-1] = 1, "");
  EXPECT_DEATH(end[0] = 1, "");
}

}  // namespace
