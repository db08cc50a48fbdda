# SPDX-License-Identifier: Apache-2.0
# Scores straight from hidden vectors and weights, made tile by tile: never rows x classes in memory.

"""
    PackedWeights(weights; context=nothing)

Weights (`dim×classes`, `Float32` or [`BFloat16`](@ref)) made ready for many calls: laid out for the matrix products and the kernels for few
rows. Immutable; any number of threads may use one. It holds its own copy: `weights` may change or go. Freed by the garbage
collector, or by `close`. `VastmaxError` in a build without oneDNN.

```jldoctest
julia> packed = PackedWeights(Float32[1 0 1; 0 1 1]);

julia> linear_topk(Float32[2, 1], Linear(packed), 1).ids
1-element Array{Int64,1}:
 3
```
"""
mutable struct PackedWeights
    pointer::Ptr{Raw.vmx_packed_weights}

    function PackedWeights(weights::AbstractMatrix; context=nothing)
        out = Ref(Ptr{Raw.vmx_packed_weights}(C_NULL))
        GC.@preserve weights context @check(context, Raw.vmx_pack_weights(handle(context), matrix_ref(rows_of("weights", weights, 1)), out))
        return finalizer(close, new(out[]))
    end
end
function Base.close(packed::PackedWeights)
    if packed.pointer != C_NULL
        Raw.vmx_packed_weights_destroy(packed.pointer)
        packed.pointer = C_NULL
    end
    return nothing
end
Base.isopen(packed::PackedWeights) = packed.pointer != C_NULL
@inline packed_pointer(::Nothing) = Ptr{Raw.vmx_packed_weights}(C_NULL)
@inline packed_pointer(packed::PackedWeights) = isopen(packed) ? packed.pointer : throw_closed("packed weights")

Base.show(io::IO, packed::PackedWeights) = print(io, "PackedWeights(", isopen(packed) ? "$(nbytes(packed)) bytes" : "closed", ")")

"""
    nbytes(packed::PackedWeights) -> Int
    nbytes(sampler::Sampler) -> Int

Bytes that it holds.
"""
nbytes(packed::PackedWeights) = GC.@preserve packed Int(Raw.vmx_packed_weights_size(packed_pointer(packed)))

"""
    Linear(weights; bias=nothing, memory_limit=0)
    Linear(packed; weights=nothing, bias=nothing, memory_limit=0)

Scores `weights' * hidden .+ bias`, which functions `linear_*` make tile by tile and never hold together.

  * `weights`: `dim×classes`, `Float32` or [`BFloat16`](@ref) as `hidden` is, a column for each class, any strides: `transpose(W)` for a `W` of
    `classes×dim` is no copy. Or [`PackedWeights`](@ref), which need no `weights` beside them.
  * `bias`: `Float32`, one for each class, or `nothing`.
  * `memory_limit`: bytes of scratch that a call may use; 0: 128 MiB. `ArgumentError` if that is too little for one block of rows.

Products are accumulated in `Float32`. For a given number of rows the bits are the same for any number of threads and memory limit
on one machine, but not across ISAs. Where a function takes a `Linear`, a matrix of weights or `PackedWeights` does too.
"""
struct Linear{W<:Maybe{AbstractMatrix},P<:Maybe{PackedWeights},B<:Maybe{AbstractVector}}
    weights::W
    packed::P
    bias::B
    memory_limit::Int
end
Linear(weights::AbstractMatrix; bias=nothing, memory_limit::Integer=0) = Linear(weights, nothing, bias, Int(memory_limit))
Linear(packed::PackedWeights; weights=nothing, bias=nothing, memory_limit::Integer=0) = Linear(weights, packed, bias, Int(memory_limit))
Linear(linear::Linear) = linear

Base.show(io::IO, linear::Linear) = print(io, "Linear(", linear.weights === nothing ? linear.packed : summary(linear.weights),
                                          linear.bias === nothing ? "" : ", with bias", ")")

const Weights = Union{Linear,AbstractMatrix,PackedWeights}

@inline limit_number(limit) = limit >= 0 ? limit : throw_limit(limit)
@noinline throw_limit(limit) = throw(ArgumentError("memory_limit = $limit: at least 0"))

@inline function linear_field(linear::Linear)
    weights = linear.weights === nothing ? empty_matrix() : matrix(rows_of("weights", linear.weights, 1))
    return Raw.vmx_linear(weights=weights, packed=packed_pointer(linear.packed), bias=vector_field(plain_vector("bias", linear.bias)),
                          memory_limit=limit_number(linear.memory_limit))
end

@inline hidden_rows(hidden) = one_matrix("hidden", rows_of("hidden", hidden, 1))

"""
    linear_logsumexp(hidden, weights; temperature=1, flags=nothing, context=nothing, workspace=nothing) -> Vector{Float32}

[`logsumexp`](@ref) of the scores of each column of `hidden` (`dim×rows`, or a vector: one row). `weights`: [`Linear`](@ref), or a matrix
`dim×classes`. One matrix product. `VastmaxError` in a build without oneDNN.

```jldoctest
julia> linear_logsumexp(zeros(Float32, 3, 2), ones(Float32, 3, 4)) ≈ [log(4), log(4)]
true
```
"""
linear_logsumexp(hidden::AbstractVecOrMat, weights::Weights; options...) =
    linear_logsumexp!(Vector{Float32}(undef, size(hidden, 2)), hidden, weights; options...)

"""
    linear_logsumexp!(lse, hidden, weights; options...) -> lse

[`linear_logsumexp`](@ref) into `lse`, a vector of `Float32`.
"""
@inline function linear_logsumexp!(lse, hidden::AbstractVecOrMat, weights::Weights; temperature=nothing, flags=nothing, context=nothing, workspace=nothing)
    linear = Linear(weights)
    rows = hidden_rows(hidden)
    t = temperature_memory(temperature)
    GC.@preserve lse hidden linear flags t context workspace begin
        @check(context, Raw.vmx_linear_logsumexp(handle(context), scratch(workspace), matrix_ref(rows), Ref(linear_field(linear)),
            vector_ref(per_row("lse", lse, rows.sizes, 1)), plain("flags", per_row("flags", flags, rows.sizes, 1), UInt32),
            softmax_options(UInt32(0), per_row("temperature", t, rows.sizes, 1))))
    end
    return lse
end

"""
    linear_crossentropy(hidden, weights, targets; reduction=:mean, options...)

[`crossentropy`](@ref) of the scores of each column of `hidden` (`dim×rows`, or a vector: one row), with its `targets` and options. `weights`:
[`Linear`](@ref), or a matrix `dim×classes`. The matrix of scores is never in memory. Returns a `Float64`, or for `reduction=:none` a vector of
`Float32`.

```jldoctest
julia> hidden, weights = zeros(Float32, 8, 2), ones(Float32, 8, 100);

julia> linear_crossentropy(hidden, weights, [1, 100]) ≈ log(100)
true
```
"""
@inline function linear_crossentropy(hidden::AbstractVecOrMat, weights::Weights, targets; reduction::Symbol=:mean, z_loss=0, options...)
    if reduction === :none
        z_loss == 0 || throw_none()
        loss = Vector{Float32}(undef, size(hidden, 2))
        linear_crossentropy!(loss, hidden, weights, targets; reduction=reduction, options...)
        return loss
    end
    return linear_crossentropy!(nothing, hidden, weights, targets; reduction=reduction, z_loss=z_loss, options...).total
end

"""
    linear_crossentropy!(loss, hidden, weights, targets; grad_hidden=nothing, grad_weights=nothing, grad_bias=nothing, accumulate=false,
                         grad_scale=1, lse=nothing, z_losses=nothing, options...) -> (total, z_loss, weight)

[`linear_crossentropy`](@ref) with gradients of the total, times `grad_scale`, into what is given:

  * `grad_hidden`: of the size of `hidden`, `Float32` or its element type; overwritten.
  * `grad_weights` (`dim×classes`), `grad_bias` (`classes`): `Float32`; overwritten, or added to with `accumulate`.
  * the others as for [`crossentropy!`](@ref).

Forward one matrix product, with gradients three.

```jldoctest
julia> hidden, weights = Float32[1, 0], Float32[0 0; 0 0];

julia> grad = zeros(Float32, 2, 2);

julia> linear_crossentropy!(nothing, hidden, weights, [1]; grad_weights=grad);

julia> grad
2×2 Array{Float32,2}:
 -0.5  0.5
  0.0  0.0
```
"""
@inline function linear_crossentropy!(loss, hidden::AbstractVecOrMat, weights::Weights, targets; reduction::Symbol=:mean, grad_hidden=nothing,
                              grad_weights=nothing, grad_bias=nothing, accumulate::Bool=false, grad_scale::Real=1.0, lse=nothing,
                              z_losses=nothing, flags=nothing, ignore_index::Integer=-100, label_smoothing::Real=0.0,
                              softcap::Real=0.0, z_loss::Real=0.0, class_weight=nothing, smooth_unmasked::Bool=false,
                              temperature=nothing, context=nothing, workspace=nothing)
    linear = Linear(weights)
    rows = hidden_rows(hidden)
    sizes = rows.sizes
    t = temperature_memory(temperature)
    totals = Totals(0.0, 0.0, 0.0)
    GC.@preserve loss hidden linear targets grad_hidden grad_weights grad_bias lse z_losses flags class_weight t totals context workspace begin
        total, total_z_loss, total_weight = total_pointers(totals)
        options = crossentropy_options(reduction, ignore_index, label_smoothing, softcap, z_loss, class_weight, smooth_unmasked,
                                       per_row("temperature", t, sizes, 1))
        out = Raw.vmx_cross_entropy_out(loss=vector_field(per_row("loss", loss, sizes, 1)),
            z_loss=vector_field(per_row("z_losses", z_losses, sizes, 1)), lse=vector_field(per_row("lse", lse, sizes, 1)), total=total,
            total_z_loss=total_z_loss, total_weight=total_weight, row_flags=plain("flags", per_row("flags", flags, sizes, 1), UInt32),
            grad_scale=grad_scale)
        grads = Raw.vmx_linear_grads(flags=accumulate ? Raw.VMX_GRAD_ACCUMULATE : UInt32(0),
            hidden=matrix_field(list_rows("grad_hidden", grad_hidden, 1)), weights=matrix_field(list_rows("grad_weights", grad_weights, 1)),
            bias=vector_field(plain_vector("grad_bias", grad_bias)))
        @check(context, Raw.vmx_linear_cross_entropy(handle(context), scratch(workspace), matrix_ref(rows), Ref(linear_field(linear)),
            Ref(csr_field("targets", targets)), Ref(out), Ref(grads), Ref(options)))
    end
    return (total=totals.total, z_loss=totals.z_loss, weight=totals.weight)
end

"""
    linear_topk(hidden, weights, k; index=Int, options...)

[`topk`](@ref) of the scores of each column of `hidden` (`dim×rows`, or a vector: one row): exact maximum inner product search without an index.
`(values, ids)`, both `k×rows` (vectors of `k` for a vector), values `Float32`. `weights`: [`Linear`](@ref), or a matrix `dim×classes`. Options as for `topk`, but
`dims`.

```jldoctest
julia> linear_topk(Float32[1, 2], Float32[1 0 3; 0 1 -1], 2)
(values = Float32[2.0, 1.0], ids = [2, 1])
```
"""
function linear_topk(hidden::AbstractVecOrMat, weights::Weights, k::Integer; index::Type{<:ClassInt}=Int, options...)
    k >= 1 || throw(ArgumentError("k = $k: at least 1"))
    size_of_result = swap_size(hidden, 1, k)
    N = ndims(hidden)
    return linear_topk!(Array{Float32,N}(undef, size_of_result), Array{index,N}(undef, size_of_result), hidden, weights; options...)
end

"""
    linear_topk!(values, ids, hidden, weights; options...) -> (values, ids)

[`linear_topk`](@ref) into `values` (`Float32`) and `ids` (`Int64` or `Int32`), `k×rows`. One of them may be `nothing`.
"""
@inline function linear_topk!(values, ids, hidden::AbstractVecOrMat, weights::Weights; largest::Bool=true, sorted::Bool=true, offset::Integer=0,
                      excluded=nothing, flags=nothing, context=nothing, workspace=nothing)
    linear = Linear(weights)
    rows = hidden_rows(hidden)
    v, i = list_rows("values", values, 1), list_rows("ids", ids, 1)
    k = list_length(v, i)
    check_lists(v, i, rows.sizes)
    offset >= 0 || throw_offset(offset)
    check_excluded(excluded)
    GC.@preserve values ids hidden linear flags excluded context workspace begin
        @check(context, Raw.vmx_linear_topk(handle(context), scratch(workspace), matrix_ref(rows), Ref(linear_field(linear)), k, matrix_ref(v),
            matrix_ref(i), plain("flags", per_row("flags", flags, rows.sizes, 1), UInt32), Ref(topk_options(largest, sorted, offset, excluded))))
    end
    return (values=values, ids=ids)
end
