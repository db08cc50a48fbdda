// SPDX-License-Identifier: Apache-2.0
// The subcommands. Each adds itself to the parser; what it returns runs it and gives the exit status.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace tool {

using Command = std::function<int()>;

Command add_info_command(CLI::App& app);
Command add_train_command(CLI::App& app);

}  // namespace tool
