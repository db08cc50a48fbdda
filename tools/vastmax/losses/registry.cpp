// SPDX-License-Identifier: Apache-2.0
#include "error.hpp"
#include "losses/loss.hpp"

namespace tool {

std::unique_ptr<Loss> make_softmax_loss(const LossSetting&);
std::unique_ptr<Loss> make_sampled_loss(const LossSetting&);

const std::vector<LossEntry>& losses() {
  static const std::vector<LossEntry> all{
      {"softmax", "exact softmax cross-entropy over all items", make_softmax_loss},
      {"sampled_softmax", "softmax over the positives and sampled negatives", make_sampled_loss},
      {"infonce", "softmax over the positives and the other items of the batch", make_sampled_loss},
      {"nce", "noise-contrastive estimation", make_sampled_loss},
      {"neg", "negative sampling, as of word2vec", make_sampled_loss},
      {"bpr", "Bayesian personalised ranking", make_sampled_loss},
      {"ccl", "cosine contrastive loss", make_sampled_loss},
  };
  return all;
}

const LossEntry& loss_named(const std::string& name) {
  std::string known;
  for (const LossEntry& entry : losses()) {
    if (name == entry.name) return entry;
    known += known.empty() ? entry.name : std::string(", ") + entry.name;
  }
  throw UserError("--loss: " + name + " is unknown; there is " + known);
}

}  // namespace tool
