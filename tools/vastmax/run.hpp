// SPDX-License-Identifier: Apache-2.0
// One run of `vastmax train`: read, split, train, choose, test, save, report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "machine.hpp"
#include "model.hpp"
#include "trainer.hpp"

namespace tool {

struct RunOptions {
  std::string data;
  TrainSettings train;
  SampledOptions sampled;
  Score score = Score::cosine;
  int64_t dim = 64;
  bool dim_given = false, score_given = false;  // else a loaded model decides
  bool rate_given = false, epochs_given = false;  // else the loss decides
  double temperature = 0;                       // 0: the loaded model's, or the default of the score
  double init = 0.1;
  double validation = 0.1;
  uint64_t split_seed = 1;
  int threads = available_cpus();
  int64_t eval_every = 1, patience = 0;
  std::vector<int64_t> ks{10, 20};
  bool refit = false, no_test = false;
  std::string save, load, json, recommend;
};

/// Returns the exit status: 0, or 130 if the user ended it.
int run_train(const RunOptions& options);

}  // namespace tool
