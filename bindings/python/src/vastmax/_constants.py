# SPDX-License-Identifier: Apache-2.0
# Written by scripts/gen_bindings: do not edit.
"""Constants of vastmax.h without their prefix VMX_, and the names of all its functions."""

from typing import Final

VERSION_MAJOR: Final = 0

VERSION_MINOR: Final = 1

VERSION_PATCH: Final = 0

# major * 10000 + minor * 100 + patch
VERSION: Final = 100

# Columns of one summation block. Shards and tiles cut at multiples of it give the same bits as the whole row.
BLOCK: Final = 4096

# The most classes a row, or all its shards together, may have.
MAX_COLS: Final = 2147483647

# Numbers never change and are never reused.
OK: Final = 0
ERR_NULL: Final = 1
ERR_SHAPE: Final = 2
ERR_DTYPE: Final = 3
ERR_VALUE: Final = 4
ERR_OVERLAP: Final = 5
ERR_SIZE: Final = 6
ERR_STRUCT: Final = 7
ERR_LABEL: Final = 8
ERR_UNSUPPORTED: Final = 9
ERR_MEMORY: Final = 10
ERR_CALLBACK: Final = 11
ERR_INTERNAL: Final = 12

# dtypes (int32)
F32: Final = 1
BF16: Final = 2
F16: Final = 3
F64: Final = 4
I32: Final = 5
I64: Final = 6

# Row flags (uint32 bits).
ROW_EMPTY: Final = 1
ROW_NAN: Final = 2
ROW_INF: Final = 4
ROW_UNDERFULL: Final = 8

ISA_BEST: Final = 0
ISA_SCALAR: Final = 1
ISA_AVX2: Final = 2
ISA_AVX512: Final = 3

# flags of vmx_softmax_options
PRECISE: Final = 1
ZERO_MASKED: Final = 2

STATE_NAN: Final = 1
STATE_INF: Final = 2
STATE_MASKED: Final = 4
STATE_HAS_SUMS: Final = 8
STATE_HAS_ENTROPY: Final = 16
STATE_HUGE: Final = 32

# flags of vmx_lse_options
FOLD_SUMS: Final = 1
FOLD_ENTROPY: Final = 2

REDUCE_NONE: Final = 0
REDUCE_SUM: Final = 1
REDUCE_MEAN: Final = 2

# flags of vmx_cross_entropy_options
SMOOTH_UNMASKED: Final = 1

# flags of vmx_topk_options
TOPK_SMALLEST: Final = 1
TOPK_UNSORTED: Final = 2

# flags of vmx_linear_grads
GRAD_ACCUMULATE: Final = 1

# Purpose numbers of the Philox counter are never reused. Samplers have 4 to 9: draws; draws whose words exact uniformity
# rejects; noise of class c, upper and lower 32 bits (word c % 4 of block c / 4); numbers of repeats; k-means (step, row 0).
PURPOSE_NEGATIVES: Final = 4

# kinds of sampler
SAMPLER_UNIFORM: Final = 1
SAMPLER_LOG_UNIFORM: Final = 2
SAMPLER_WEIGHTS: Final = 3
SAMPLER_IN_BATCH: Final = 4
SAMPLER_MIDX: Final = 5
SAMPLER_QUADRATIC: Final = 6
SAMPLER_EXACT: Final = 7

# flags of vmx_draw_options
DRAW_UNIQUE: Final = 1
DRAW_COUNTS: Final = 2
DRAW_REPLACE: Final = 4

# losses
LOSS_SAMPLED_SOFTMAX: Final = 1
LOSS_NCE: Final = 2
LOSS_NEG: Final = 3
LOSS_BPR: Final = 4
LOSS_CCL: Final = 5

# corrections of VMX_LOSS_SAMPLED_SOFTMAX
CORRECT_NONE: Final = 0
CORRECT_RANKING: Final = 1
CORRECT_IS: Final = 2
CORRECT_COUNTS: Final = 3

# how scores are made
SCORE_DOT: Final = 0
SCORE_COSINE: Final = 1

# flags of vmx_sampled_options
SAMPLED_KEEP_HITS: Final = 1
SAMPLED_JOINT: Final = 2

# optimizers of vmx_sparse_update
SGD: Final = 1
ADAGRAD: Final = 2
ADAM: Final = 3

FUNCTIONS: Final = (
    "vmx_status_string",
    "vmx_last_error",
    "vmx_version",
    "vmx_version_string",
    "vmx_isa_count",
    "vmx_isa_id",
    "vmx_isa_name",
    "vmx_isa_usable",
    "vmx_context_options_init",
    "vmx_context_create",
    "vmx_context_destroy",
    "vmx_isa_active",
    "vmx_context_threads",
    "vmx_workspace_create",
    "vmx_workspace_reserve",
    "vmx_workspace_capacity",
    "vmx_workspace_destroy",
    "vmx_softmax_options_init",
    "vmx_logsumexp",
    "vmx_softmax",
    "vmx_log_softmax",
    "vmx_logsumexp_backward",
    "vmx_softmax_backward",
    "vmx_log_softmax_backward",
    "vmx_lse_options_init",
    "vmx_lse_fold",
    "vmx_lse_merge",
    "vmx_lse_finish",
    "vmx_lse_shorten",
    "vmx_lse_short_merge",
    "vmx_lse_short_finish",
    "vmx_cross_entropy_options_init",
    "vmx_cross_entropy_out_init",
    "vmx_cross_entropy",
    "vmx_cross_entropy_backward",
    "vmx_topk_options_init",
    "vmx_topk",
    "vmx_topk_merge",
    "vmx_pack_weights",
    "vmx_packed_weights_size",
    "vmx_packed_weights_destroy",
    "vmx_linear_init",
    "vmx_linear_logsumexp",
    "vmx_linear_grads_init",
    "vmx_linear_cross_entropy",
    "vmx_linear_topk",
    "vmx_onednn_version",
    "vmx_sampler_options_init",
    "vmx_sampler_create",
    "vmx_sampler_update",
    "vmx_sampler_observe",
    "vmx_sampler_size",
    "vmx_sampler_destroy",
    "vmx_draw_options_init",
    "vmx_sampler_draw",
    "vmx_sampler_log_q",
    "vmx_sampled_options_init",
    "vmx_candidates_init",
    "vmx_sparse_rows_init",
    "vmx_sampled_grads_init",
    "vmx_sampled_out_init",
    "vmx_sampled_loss",
    "vmx_in_batch_softmax",
    "vmx_update_options_init",
    "vmx_sparse_update",
    "vmx_softmax_workspace_size",
    "vmx_lse_fold_workspace_size",
    "vmx_cross_entropy_workspace_size",
    "vmx_topk_workspace_size",
    "vmx_linear_logsumexp_workspace_size",
    "vmx_linear_cross_entropy_workspace_size",
    "vmx_linear_topk_workspace_size",
    "vmx_sampler_draw_workspace_size",
    "vmx_sampled_loss_workspace_size",
)
