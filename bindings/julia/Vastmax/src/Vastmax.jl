# SPDX-License-Identifier: Apache-2.0
"""
The softmax family over very many classes, on CPUs: log-sum-exp, softmax, cross-entropy and top-k of given scores or straight from
hidden vectors and weights, sampled losses with their samplers, and sparse updates. Classes run along the first dimension, so a
`V×n` matrix is `n` rows of `V` classes and is read in place. All numbers are computed by the C library `libvastmax`; the same
input gives the same bits on every ISA and with any number of threads.

```jldoctest
julia> using Vastmax

julia> logsumexp(Float32[0, 0, 0, 0])
1.3862944f0
```
"""
module Vastmax

using Libdl: Libdl
using LinearAlgebra: Adjoint, Transpose

include("raw.jl")
include("threads.jl")
include("errors.jl")
include("library.jl")
include("bfloat16.jl")
include("views.jl")
include("context.jl")
include("softmax.jl")
include("states.jl")
include("targets.jl")
include("crossentropy.jl")
include("topk.jl")
include("linear.jl")
include("classids.jl")
include("samplers.jl")
include("sampled.jl")
include("sizes.jl")
include("loadrules.jl")

export logsumexp, logsumexp!, softmax, softmax!, logsoftmax, logsoftmax!
export ∇logsumexp, ∇logsumexp!, ∇softmax_data, ∇softmax_data!, ∇logsoftmax_data, ∇logsoftmax_data!
export LseState, LseShort, fold!, finish, finish!, shorten, shorten!
export Targets, crossentropy, crossentropy!, ∇crossentropy, ∇crossentropy!
export topk, topk!, topk_merge, topk_merge!
export Linear, PackedWeights, linear_logsumexp, linear_logsumexp!, linear_crossentropy, linear_crossentropy!, linear_topk, linear_topk!
export ClassIds, Sampler, draw, draw!, logq, logq!, observe!, update!, nbytes
export Candidates, SparseRows, sampled_loss, sampled_loss!, in_batch_softmax, in_batch_softmax!, sparse_update!
export Context, Workspace, reserve!, capacity, BFloat16, VastmaxError, ROW_EMPTY, ROW_NAN, ROW_INF, ROW_UNDERFULL
export softmax_workspace_size, fold_workspace_size, crossentropy_workspace_size, topk_workspace_size, linear_logsumexp_workspace_size,
       linear_crossentropy_workspace_size, linear_topk_workspace_size, draw_workspace_size, sampled_loss_workspace_size

function __init__()
    load_library()
    load_rules()
end

end # module
