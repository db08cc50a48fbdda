// SPDX-License-Identifier: Apache-2.0
// The exact softmax cross-entropy over all items: one log-sum-exp a user serves all of the user's positives.
#include "losses/loss.hpp"

namespace tool {
namespace {

class SoftmaxLoss : public Loss {
 public:
  explicit SoftmaxLoss(const LossSetting& setting) : setting_(setting) {}

  double step(const LossBatch& batch, float* grad_queries, ItemGradient* grad_items) override {
    const Clock clock(setting_.profile, "linear_cross_entropy");
    const int64_t positives = batch.starts[batch.rows];
    const vmx_matrix hidden = matrix_f32(batch.queries, batch.rows, setting_.model.dim());
    vmx_linear linear = VMX_LINEAR_INIT;
    linear.weights = matrix_f32(batch.items, setting_.model.items.rows, setting_.model.dim());
    const vmx_csr targets{ids_i64(batch.starts, batch.rows + 1), ids_i32(batch.ids, positives),
                          vector_f32(batch.weights, positives)};
    double total = 0;
    vmx_cross_entropy_out out = VMX_CROSS_ENTROPY_OUT_INIT;
    out.total = &total;
    out.grad_scale = 1 / batch.total_weight;
    vmx_linear_grads grads = VMX_LINEAR_GRADS_INIT;
    grads.hidden = matrix_f32(grad_queries, batch.rows, setting_.model.dim());
    grads.weights = matrix_f32(grad_items->dense(), setting_.model.items.rows, setting_.model.dim());
    check(vmx_linear_cross_entropy(setting_.engine.context.get(), setting_.engine.workspace.get(), &hidden, &linear,
                                   &targets, &out, &grads, nullptr));
    return total;
  }

 private:
  LossSetting setting_;
};

}  // namespace

std::unique_ptr<Loss> make_softmax_loss(const LossSetting& setting) { return std::make_unique<SoftmaxLoss>(setting); }

}  // namespace tool
