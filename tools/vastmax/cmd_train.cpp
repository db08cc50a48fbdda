// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "commands.hpp"
#include "run.hpp"

namespace tool {
namespace {

/// A finite number in [low, high], or (low, high] if open. CLI11's Range lets NaN through.
CLI::Validator number(double low, double high, bool open = false) {
  return CLI::Validator(
      [=](const std::string& text) -> std::string {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && (open ? value > low : value >= low) && value <= high) return {};
        char message[160];
        std::snprintf(message, sizeof message, "%.60s is not a number %s %g and at most %g", text.c_str(),
                      open ? "above" : "of at least", low, high);
        return message;
      },
      "");
}

CLI::Validator whole(int64_t low, int64_t high) {
  return CLI::Validator(
      [=](const std::string& text) -> std::string {
        int64_t value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return {};
        return text + " is not a whole number in " + std::to_string(low) + " ... " + std::to_string(high);
      },
      "");
}

}  // namespace

Command add_train_command(CLI::App& app) {
  struct Parsed {
    RunOptions run;
    std::string score = "cosine", optimizer = "adam", schedule, positives;
    bool joint = false, separate = false;
  };
  const auto parsed = std::make_shared<Parsed>();
  RunOptions& o = parsed->run;
  const char* const schedules[] = {"constant", "linear", "cosine"};
  const char* const weights[] = {"one", "sqrt", "mean"};
  parsed->schedule = schedules[static_cast<int>(o.train.schedule)];
  parsed->positives = weights[static_cast<int>(o.train.positive_weight)];
  std::vector<std::string> loss_names;
  for (const LossEntry& entry : losses()) loss_names.emplace_back(entry.name);

  app.option_defaults()->always_capture_default();
  app.add_option("--data", o.data,
                 "a folder with train.txt and test.txt (lines `user item item ...`), debian (the package graph of "
                 "apt-cache), debian:FILE (of a saved `apt-cache dumpavail`), or synthetic:users,items,dim")
      ->required();
  const auto* const score = app.add_option("--score", parsed->score, "score of a user's and an item's vector")
                                ->check(CLI::IsMember({"dot", "cosine"}));
  const auto* const dim = app.add_option("--dim", o.dim, "dimensions of the vectors")->check(whole(1, 16384));
  app.add_option("--temperature", o.temperature,
                 "divides the scores; 0: 1 for dot, 0.1 for cosine (0.2 with neg and bpr), or what the loaded model has")
      ->check(number(0, 1e6));
  app.add_option("--loss", o.train.loss, "what is minimised")->check(CLI::IsMember(loss_names));
  SampledOptions& s = o.sampled;
  app.add_option("--sampler", s.sampler, "where negatives come from; without it the loss decides")
      ->check(CLI::IsMember(sampler_names()));
  app.add_option("--negatives", s.negatives, "how many, for all users of a step together or, with --per-row, for each")
      ->check(whole(1, 1 << 20));
  app.add_option("--correction", s.correction,
                 "of the scores of sampled_softmax and infonce for what the sampler prefers: none, ranking (target and "
                 "negatives less log q), is (negatives less log(m q)), counts (both less the log of the expected count)")
      ->check(CLI::IsMember(correction_names()));
  auto* const joint = app.add_flag("--joint", parsed->joint, "all positives of a user in one denominator, as in the exact loss (so if not given)");
  app.add_flag("--separate", parsed->separate, "each positive of a user in its own denominator")->excludes(joint);
  app.add_flag("--keep-hits", s.keep_hits, "negatives that are positives of the user stay");
  app.add_flag("--unique", s.unique, "negatives are drawn without replacement");
  app.add_flag("--per-row", s.per_row, "each user has negatives of its own (so always with midx, quadratic, exact, and with --loss neg)");
  app.add_option("--power", s.power, "sampler unigram: of the number of users; 0.75 if not given")->check(number(0, 100));
  app.add_option("--rebuild-every", s.rebuild_every,
                 "samplers midx and quadratic: epochs (2) or steps (200steps) until they take up the items' new vectors; 1 epoch if "
                 "not given");
  app.add_option("--margin", s.margin, "loss ccl: cosine up to which a negative costs nothing; 0.4 if not given")
      ->check(number(-1, 1));
  app.add_option("--negative-weight", s.negative_weight, "loss ccl: of the negatives' part; a hundredth of the number of items if not given")
      ->check(number(0, 1e6));
  app.add_option("--log-z", s.log_z, "loss nce: constant taken off all scores; log of the number of items if not given")
      ->check(number(-1e6, 1e6));
  app.add_option("--positive-weight", parsed->positives,
                 "weight of each of a user's n positives: one (1), sqrt (1/sqrt(n)), mean (1/n)")
      ->check(CLI::IsMember({"one", "sqrt", "mean"}));
  const auto* const epochs =
      app.add_option("--epochs", o.train.epochs, "passes over the users; more for sampled losses if not given; 0 with --load only "
                                                 "evaluates")
          ->check(whole(0, 1000000));
  app.add_option("--batch", o.train.batch, "users in a step")->check(whole(1, 1 << 20));
  app.add_option("--optimizer", parsed->optimizer, "adam")->check(CLI::IsMember({"adam"}));
  const auto* const rate =
      app.add_option("--lr", o.train.learning_rate, "learning rate of the items; larger for sampled losses if not given, as these "
                                                    "touch an item seldom")
          ->check(number(0, 1e3, true));
  app.add_option("--user-lr", o.train.user_learning_rate,
                 "learning rate of the users; larger, as a user is seen once an epoch, an item in each step")
      ->check(number(0, 1e3, true));
  app.add_option("--schedule", parsed->schedule, "how the learning rate falls to 0 over the epochs")
      ->check(CLI::IsMember({"constant", "linear", "cosine"}));
  app.add_option("--beta1", o.train.adam.beta1, "Adam's decay of the mean")->check(number(0, 0.9999999));
  app.add_option("--beta2", o.train.adam.beta2, "Adam's decay of the square")->check(number(0, 0.9999999));
  app.add_option("--user-beta1", o.train.user_adam.beta1, "")->check(number(0, 0.9999999));
  app.add_option("--user-beta2", o.train.user_adam.beta2, "")->check(number(0, 0.9999999));
  app.add_option("--weight-decay", o.train.adam.weight_decay, "decoupled weight decay, times the learning rate")
      ->check(number(0, 1e3));
  app.add_option("--init", o.init, "standard deviation of the first vectors' entries")->check(number(0, 1e3, true));
  app.add_option("--seed", o.train.seed, "of the first vectors and the order of users");
  app.add_option("--validation", o.validation, "part of each user's train items held out to choose the epoch")
      ->check(number(0, 0.9));
  app.add_option("--split-seed", o.split_seed, "of the parts held out (for synthetic, also of the data)");
  app.add_flag("--refit", o.refit, "after the choice train again on all of train, for the chosen number of epochs");
  app.add_flag("--no-test", o.no_test, "leave the test unread");
  app.add_option("--eval-every", o.eval_every, "epochs from one evaluation to the next")->check(whole(1, 1000000));
  app.add_option("--patience", o.patience, "end after so many evaluations without a better one; 0: never")
      ->check(whole(0, 1000000));
  app.add_option("--topk", o.ks, "cuts of Recall and NDCG; the epoch is chosen by NDCG at the largest")
      ->delimiter(',')
      ->check(whole(1, 100000));
  app.add_option("--threads", o.threads, "threads; the result does not depend on them")->check(whole(1, 1024));
  app.add_option("--load", o.load, "begin with the vectors of this file");
  app.add_option("--save", o.save, "write the vectors of the chosen epoch to this file (safetensors)");
  app.add_option("--json", o.json, "write settings, machine, epochs and test to this file");
  app.add_option("--recommend", o.recommend, "show recommendations for so many users, or for these (names, by comma)");

  return [parsed, score, dim, rate, epochs] {
    RunOptions& run = parsed->run;
    run.score = score_named(parsed->score, "--score");
    run.score_given = score->count() > 0;
    run.dim_given = dim->count() > 0;
    run.rate_given = rate->count() > 0;
    run.epochs_given = epochs->count() > 0;
    if (parsed->joint || parsed->separate) run.sampled.joint = parsed->joint;
    run.train.schedule = parsed->schedule == "linear"   ? Schedule::linear
                         : parsed->schedule == "cosine" ? Schedule::cosine
                                                        : Schedule::constant;
    run.train.positive_weight = parsed->positives == "one"    ? PositiveWeight::one
                                : parsed->positives == "sqrt" ? PositiveWeight::sqrt
                                                              : PositiveWeight::mean;
    std::sort(run.ks.begin(), run.ks.end());
    run.ks.erase(std::unique(run.ks.begin(), run.ks.end()), run.ks.end());
    return run_train(run);
  };
}

}  // namespace tool
