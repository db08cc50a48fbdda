// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace bench {

// From now on the first SIGINT or SIGTERM only sets a flag; a second one ends the process as usual.
void catch_interrupts();
bool interrupted();

}  // namespace bench
