// SPDX-License-Identifier: Apache-2.0
// The losses over a user's positives and some negatives. Vectors go to the library as they are: cosine, temperature and the
// gradient through both are made there, for the items at hand alone. Nothing in a step depends on the number of items.
#include <algorithm>

#include "losses/loss.hpp"
#include "sampler.hpp"

namespace tool {
namespace {

constexpr int32_t kCorrections[] = {VMX_CORRECT_NONE, VMX_CORRECT_RANKING, VMX_CORRECT_IS, VMX_CORRECT_COUNTS};

class SampledLoss : public Loss {
 public:
  explicit SampledLoss(const LossSetting& setting)
      : setting_(setting),
        negatives_(setting.engine, *setting.sampled, setting.train, setting.model, setting.seed),
        options_(VMX_SAMPLED_OPTIONS_INIT) {
    const SampledSettings& s = *setting.sampled;
    options_.loss = s.loss;
    options_.correction = kCorrections[static_cast<size_t>(s.correction)];
    options_.score = setting.model.score == Score::cosine ? VMX_SCORE_COSINE : VMX_SCORE_DOT;
    options_.flags = (s.keep_hits ? VMX_SAMPLED_KEEP_HITS : 0) | (s.joint ? VMX_SAMPLED_JOINT : 0);
    options_.reduction = VMX_REDUCE_SUM;
    if (s.loss == VMX_LOSS_CCL) {
      options_.margin = s.margin;
      options_.negative_weight = s.negative_weight;
    } else {
      options_.temperature = setting.model.temperature;
    }
  }

  bool takes_own_vectors() const override { return true; }

  void begin_epoch(int64_t epoch) override {
    const Clock clock(setting_.profile, "sampler");
    negatives_.begin_epoch(epoch);
  }

  double step(const LossBatch& batch, float* grad_queries, ItemGradient* grad_items) override {
    const int64_t positives = batch.starts[batch.rows], dim = setting_.model.dim(), items = setting_.model.items.rows;
    const vmx_candidates* candidates = nullptr;
    {
      const Clock clock(setting_.profile, "sampler");
      candidates = &negatives_.draw(batch);
    }
    const Clock clock(setting_.profile, "sampled_loss");
    const vmx_matrix hidden = matrix_f32(batch.queries, batch.rows, dim), table = matrix_f32(batch.items, items, dim);
    const vmx_csr targets{ids_i64(batch.starts, batch.rows + 1), ids_i32(batch.ids, positives),
                          vector_f32(batch.weights, positives)};
    double total = 0;
    vmx_sampled_out out = VMX_SAMPLED_OUT_INIT;
    out.total = &total;
    out.grad_scale = 1 / batch.total_weight;
    vmx_sampled_grads grads = VMX_SAMPLED_GRADS_INIT;
    grads.hidden = matrix_f32(grad_queries, batch.rows, dim);
    grads.sparse = grad_items->sparse(std::min(items, positives + candidates->ids.rows * candidates->ids.cols));
    check(vmx_sampled_loss(setting_.engine.context.get(), setting_.engine.workspace.get(), &hidden, &table, nullptr, &targets,
                           candidates, &out, &grads, &options_));
    return total;
  }

  void items_changed(const int64_t* ids, int64_t count) override { negatives_.items_changed(ids, count); }

 private:
  LossSetting setting_;
  Negatives negatives_;
  vmx_sampled_options options_;
};

}  // namespace

std::unique_ptr<Loss> make_sampled_loss(const LossSetting& setting) { return std::make_unique<SampledLoss>(setting); }

}  // namespace tool
