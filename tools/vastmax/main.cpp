// SPDX-License-Identifier: Apache-2.0
// The vastmax command. Exit status: 0 done, 1 failed (the message says why), 2 wrong arguments, 130 interrupted.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "error.hpp"

int main(int argc, char** argv) {
  CLI::App app{"vastmax: the softmax family over very many classes, on CPUs", "vastmax"};
  app.set_version_flag("--version", std::string("vastmax ") + vmx_version_string());
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);

  std::vector<std::pair<CLI::App*, tool::Command>> commands;
  const auto add = [&](const char* name, const char* about, tool::Command (*make)(CLI::App&)) {
    CLI::App* const command = app.add_subcommand(name, about);
    command->failure_message(CLI::FailureMessage::simple);
    commands.emplace_back(command, make(*command));
  };
  add("info", "show the CPU, the ISAs of the library, caches, oneDNN, threads", tool::add_info_command);
  add("train", "train a recommender by matrix factorisation and evaluate it", tool::add_train_command);

  try {
    app.parse(argc, argv);
    for (const auto& [command, run] : commands) {
      if (command->parsed()) return run();
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const tool::UserError& error) {
    std::fprintf(stderr, "vastmax: %s\n", error.what());
    return 1;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "vastmax: not enough memory\n");
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vastmax: %s\n", error.what());
    return 1;
  }
  return 0;
}
