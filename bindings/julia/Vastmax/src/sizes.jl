# SPDX-License-Identifier: Apache-2.0
# Scratch that a call may take: reserve it, and the call allocates nothing.

@inline function asked(f)
    size = Ref(Csize_t(0))
    check(f(size))
    return Int(size[])
end

"""
    softmax_workspace_size(x, y=nothing; dims=1, precise=false, zero_masked=false, context=nothing) -> Int

Bytes that [`softmax!`](@ref) and [`logsoftmax!`](@ref) of `x` into `y`, or [`logsumexp!`](@ref) (`y=nothing`), may take from a workspace. Only sizes and element types are looked at.

```jldoctest
julia> x = zeros(Float32, 1000, 2);

julia> workspace = Workspace(size=softmax_workspace_size(x, x));
```
"""
softmax_workspace_size(x::AbstractArray, y::Maybe{AbstractArray}=nothing; dims=1, precise::Bool=false, zero_masked::Bool=false, context=nothing) =
    GC.@preserve x y context asked() do size
        Raw.vmx_softmax_workspace_size(handle(context), matrix_ref(one_matrix("x", rows_of("x", x, dims))),
            y === nothing ? C_NULL : matrix_ref(one_matrix("y", rows_of("y", y, dims))),
            Ref(Raw.vmx_softmax_options(flags=softmax_flags(precise, zero_masked))), size)
    end

"""
    fold_workspace_size(x; dims=1, sums=false, entropy=false, context=nothing) -> Int

Bytes that [`fold!`](@ref) of `x` may take from a workspace.
"""
fold_workspace_size(x::AbstractArray; dims=1, sums::Bool=false, entropy::Bool=false, context=nothing) =
    GC.@preserve x context asked() do size
        bits = (sums ? Raw.VMX_FOLD_SUMS : UInt32(0)) | (entropy ? Raw.VMX_FOLD_ENTROPY : UInt32(0))
        Raw.vmx_lse_fold_workspace_size(handle(context), matrix_ref(one_matrix("x", rows_of("x", x, dims))),
            Ref(Raw.vmx_lse_options(flags=bits)), size)
    end

"""
    crossentropy_workspace_size(x; grad=nothing, dims=1, label_smoothing=0, softcap=0, z_loss=0, context=nothing) -> Int

Bytes that [`crossentropy!`](@ref) of `x`, with that `grad`, may take from a workspace with one label a row. [`Targets`](@ref) may take 24 more for each class, and 64.
"""
crossentropy_workspace_size(x::AbstractArray; grad=nothing, dims=1, label_smoothing::Real=0.0, softcap::Real=0.0, z_loss::Real=0.0, context=nothing) =
    GC.@preserve x grad context asked() do size
        Raw.vmx_cross_entropy_workspace_size(handle(context), matrix_ref(one_matrix("x", rows_of("x", x, dims))),
            grad === nothing ? C_NULL : matrix_ref(one_matrix("grad", rows_of("grad", grad, dims))),
            Ref(crossentropy_options(:none, -100, label_smoothing, softcap, z_loss, nothing, false, nothing)), size)
    end

"""
    topk_workspace_size(x, k; dims=1, largest=true, sorted=true, context=nothing) -> Int

Bytes that [`topk!`](@ref) of `x` may take from a workspace.
"""
topk_workspace_size(x::AbstractArray, k::Integer; dims=1, largest::Bool=true, sorted::Bool=true, context=nothing) =
    GC.@preserve x context asked() do size
        Raw.vmx_topk_workspace_size(handle(context), matrix_ref(one_matrix("x", rows_of("x", x, dims))), k,
            Ref(topk_options(largest, sorted, 0, nothing)), size)
    end

"""
    linear_logsumexp_workspace_size(hidden, weights; context=nothing) -> Int

Bytes that [`linear_logsumexp!`](@ref) may take from a workspace.
"""
function linear_logsumexp_workspace_size(hidden::AbstractVecOrMat, weights::Weights; context=nothing)
    linear = Linear(weights)
    return GC.@preserve hidden linear context asked() do size
        Raw.vmx_linear_logsumexp_workspace_size(handle(context), matrix_ref(hidden_rows(hidden)), Ref(linear_field(linear)), C_NULL, size)
    end
end

"""
    linear_crossentropy_workspace_size(hidden, weights; grad_hidden=nothing, grad_weights=nothing, grad_bias=nothing, accumulate=false,
                                       label_smoothing=0, softcap=0, z_loss=0, context=nothing) -> Int

Bytes that [`linear_crossentropy!`](@ref), with those gradients, may take from a workspace with one label a row.
"""
function linear_crossentropy_workspace_size(hidden::AbstractVecOrMat, weights::Weights; grad_hidden=nothing, grad_weights=nothing, grad_bias=nothing,
                                            accumulate::Bool=false, label_smoothing::Real=0.0, softcap::Real=0.0, z_loss::Real=0.0, context=nothing)
    linear = Linear(weights)
    return GC.@preserve hidden linear grad_hidden grad_weights grad_bias context asked() do size
        grads = Raw.vmx_linear_grads(flags=accumulate ? Raw.VMX_GRAD_ACCUMULATE : UInt32(0),
            hidden=matrix_field(list_rows("grad_hidden", grad_hidden, 1)), weights=matrix_field(list_rows("grad_weights", grad_weights, 1)),
            bias=vector_field(plain_vector("grad_bias", grad_bias)))
        Raw.vmx_linear_cross_entropy_workspace_size(handle(context), matrix_ref(hidden_rows(hidden)), Ref(linear_field(linear)), Ref(grads),
            Ref(crossentropy_options(:none, -100, label_smoothing, softcap, z_loss, nothing, false, nothing)), size)
    end
end

"""
    linear_topk_workspace_size(hidden, weights, k; largest=true, sorted=true, context=nothing) -> Int

Bytes that [`linear_topk!`](@ref) may take from a workspace.
"""
function linear_topk_workspace_size(hidden::AbstractVecOrMat, weights::Weights, k::Integer; largest::Bool=true, sorted::Bool=true, context=nothing)
    linear = Linear(weights)
    return GC.@preserve hidden linear context asked() do size
        Raw.vmx_linear_topk_workspace_size(handle(context), matrix_ref(hidden_rows(hidden)), Ref(linear_field(linear)), k,
            Ref(topk_options(largest, sorted, 0, nothing)), size)
    end
end

"""
    draw_workspace_size(sampler, ids; hidden=nothing, unique=false, counts=false, replace=false, context=nothing) -> Int

Bytes that [`draw!`](@ref) into `ids` may take from a workspace.
"""
draw_workspace_size(sampler::Sampler, ids::ClassIds; hidden=nothing, unique::Bool=false, counts::Bool=false, replace::Bool=false, context=nothing) =
    GC.@preserve sampler ids hidden context asked() do size
        bits = (unique ? Raw.VMX_DRAW_UNIQUE : UInt32(0)) | (counts ? Raw.VMX_DRAW_COUNTS : UInt32(0)) | (replace ? Raw.VMX_DRAW_REPLACE : UInt32(0))
        Raw.vmx_sampler_draw_workspace_size(handle(context), sampler_pointer(sampler), matrix_ref(list_rows("hidden", hidden, 1)),
            matrix_ref(one_matrix("ids", rows_of("ids", parent(ids), 1))), Ref(Raw.vmx_draw_options(flags=bits)), size)
    end

"""
    sampled_loss_workspace_size(hidden, table, targets, candidates; grad_hidden=nothing, grad_rows=nothing, grad_table=nothing, grad_bias=nothing,
                                loss=:sampled_softmax, correction=:none, score=:dot, keep_hits=false, joint=false, memory_limit=0, context=nothing) -> Int

Bytes that [`sampled_loss!`](@ref), with those gradients, may take from a workspace. `targets` is the number of targets of all rows together.
"""
function sampled_loss_workspace_size(hidden::AbstractVecOrMat, table::AbstractMatrix, targets::Integer, candidates::Candidates; grad_hidden=nothing,
                                     grad_rows::Maybe{SparseRows}=nothing, grad_table=nothing, grad_bias=nothing, loss::Symbol=:sampled_softmax,
                                     correction::Symbol=:none, score::Symbol=:dot, keep_hits::Bool=false, joint::Bool=false,
                                     memory_limit::Integer=0, context=nothing)
    sparse = Ref(grad_rows === nothing ? Raw.vmx_sparse_rows() : sparse_field("grad_rows", grad_rows))
    return GC.@preserve hidden table candidates grad_hidden grad_rows grad_table grad_bias sparse context asked() do size
        grads = Raw.vmx_sampled_grads(hidden=matrix_field(list_rows("grad_hidden", grad_hidden, 1)),
            sparse=grad_rows === nothing ? C_NULL : Base.unsafe_convert(Ptr{Raw.vmx_sparse_rows}, sparse),
            table=matrix_field(list_rows("grad_table", grad_table, 1)), bias=vector_field(plain_vector("grad_bias", grad_bias)))
        Raw.vmx_sampled_loss_workspace_size(handle(context), matrix_ref(hidden_rows(hidden)), matrix_ref(rows_of("table", table, 1)), targets,
            Ref(candidates_field(candidates)), Ref(grads),
            Ref(sampled_options(loss, correction, score, keep_hits, joint, :none, 1.0, 0.4, 1.0, memory_limit)), size)
    end
end
