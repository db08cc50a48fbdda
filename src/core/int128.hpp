// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace vmx {

// GCC and Clang have them on every 64-bit target; pedantic warnings want to hear that it is meant.
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

}  // namespace vmx
