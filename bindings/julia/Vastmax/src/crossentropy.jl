# SPDX-License-Identifier: Apache-2.0
# Softmax cross-entropy of given scores, forward and backward.

function reduction_number(name::Symbol)
    name === :mean && return Raw.VMX_REDUCE_MEAN
    name === :sum && return Raw.VMX_REDUCE_SUM
    name === :none && return Raw.VMX_REDUCE_NONE
    throw(ArgumentError("reduction = :$name: :none, :sum or :mean"))
end

@inline crossentropy_options(reduction, ignore_index, label_smoothing, softcap, z_loss, class_weight, smooth_unmasked, t) =
    Raw.vmx_cross_entropy_options(flags=smooth_unmasked ? Raw.VMX_SMOOTH_UNMASKED : UInt32(0), reduction=reduction_number(reduction),
        ignore_index=ignore_index, label_smoothing=label_smoothing, softcap=softcap, z_loss=z_loss,
        class_weight=vector_field(plain_vector("class_weight", class_weight)), temperature=temperature_pointer(t),
        temperature_stride=temperature_stride(t))

# The three totals of a call, where C can write them.
mutable struct Totals
    total::Float64
    z_loss::Float64
    weight::Float64
end
@inline total_pointers(totals::Totals) = (p = Ptr{Float64}(pointer_from_objref(totals)); (p, p + 8, p + 16))

# reduction=:none returns the rows' losses, which have the z-loss apart: no sum of both is made outside the library.
@noinline throw_none() = throw(ArgumentError("reduction = :none with a z_loss: use the form with `!`, which gives loss and z-loss of each row"))

"""
    crossentropy(x, targets; dims=1, reduction=:mean, ignore_index=-100, label_smoothing=0, softcap=0, z_loss=0, class_weight=nothing,
                 smooth_unmasked=false, temperature=1, flags=nothing, context=nothing, workspace=nothing)

Softmax cross-entropy of scores: with `p = softmax(x / T)` of a row, targets `t` with weights `w_t` and class weights `v`

    loss   = (1-ε) sum_t w_t v_t (lse - x_t/T) + W (ε/V) sum_c v_c (lse - x_c/T),    W = sum_t w_t,  ε = label_smoothing
    z-loss = z_loss * lse^2        (rows not ignored)
    weight = sum_t w_t v_t

  * `x`: scores, as for [`logsumexp`](@ref); the rows must stand at one distance.
  * `targets`: an array of `Int32` or `Int64` with one class, counted from 1, for each row; or [`Targets`](@ref).
  * `reduction`: `:mean` (the sum of losses and z-losses by the sum of the weights), `:sum`, or `:none` for each row's loss.
  * `ignore_index`: a class that makes its row, or that target, not count.
  * `softcap`: `c > 0`: the scores are `c*tanh(x/c)`. `class_weight`: contiguous `Float32`, one for each class.
  * `smooth_unmasked`: label smoothing divides over the allowed classes only, else a mask gives an infinite loss.

Returns a `Float64`, or for `:none` a vector of `Float32` (`Float64` for `Float64` scores).

A masked (`-Inf`) label or a row without an allowed class has loss `Inf`; `NaN` or `+Inf` in a row give `NaN`; an ignored or empty row has loss
0 and weight 0; a mean over no weight is `NaN`. The loss has a relative error of `16u`, small losses too. `ArgumentError` for a class
out of range.

```jldoctest
julia> crossentropy(Float32[0 0; 0 0; 0 0; 0 0], [1, 4]) ≈ log(4)
true

julia> crossentropy(Float32[0 9; 0 -9], [1, -100]; reduction=:none)
2-element Array{Float32,1}:
 0.6931472
 0.0
```
"""
@inline function crossentropy(x::AbstractArray{T}, targets; reduction::Symbol=:mean, z_loss=0, dims=1, options...) where {T}
    if reduction === :none
        z_loss == 0 || throw_none()
        loss = Vector{result_type(T)}(undef, row_count(rows_of("x", x, dims)))
        crossentropy!(loss, x, targets; reduction=reduction, dims=dims, options...)
        return loss
    end
    return crossentropy!(nothing, x, targets; reduction=reduction, z_loss=z_loss, dims=dims, options...).total
end

"""
    crossentropy!(loss, x, targets; grad=nothing, grad_scale=1, lse=nothing, z_losses=nothing, options...) -> (total, z_loss, weight)

[`crossentropy`](@ref), with its options, into what is given; each may be `nothing`.

  * `loss`, `z_losses`, `lse`: a value for each row: its loss without the z-loss, its z-loss, its log-sum-exp.
  * `grad`: of the size of `x` and any of the four element types, may be exactly `x`: the gradient of the total (`:none` standing for
    `:sum`) by `x`, times `grad_scale`. At a masked label it is minus the weight, at other masks 0.

Returns the totals: the sum or mean of losses and z-losses, the z-loss part of it, the sum of the weights. Allocates nothing with a warm
`workspace`.

```jldoctest
julia> grad = zeros(2, 1);

julia> crossentropy!(nothing, [0.0; 0.0], [2]; grad=grad).weight
1.0

julia> grad
2×1 Array{Float64,2}:
  0.5
 -0.5
```
"""
@inline function crossentropy!(loss, x::AbstractArray, targets; dims=1, reduction::Symbol=:mean, grad=nothing, grad_scale::Real=1.0, lse=nothing,
                       z_losses=nothing, flags=nothing, ignore_index::Integer=-100, label_smoothing::Real=0.0, softcap::Real=0.0,
                       z_loss::Real=0.0, class_weight=nothing, smooth_unmasked::Bool=false, temperature=nothing, context=nothing,
                       workspace=nothing)
    rows = one_matrix("x", rows_of("x", x, dims))
    sizes = rows.sizes
    g = grad === nothing ? nothing : (length(grad) == length(x) ? one_matrix("grad", rows_of("grad", grad, dims)) : throw_size("grad", grad, "x", x))
    t = temperature_memory(temperature)
    totals = Totals(0.0, 0.0, 0.0)
    GC.@preserve loss x targets grad lse z_losses flags class_weight t totals context workspace begin
        total, total_z_loss, total_weight = total_pointers(totals)
        options = crossentropy_options(reduction, ignore_index, label_smoothing, softcap, z_loss, class_weight, smooth_unmasked,
                                       per_row("temperature", t, sizes, dims))
        out = Raw.vmx_cross_entropy_out(loss=vector_field(per_row("loss", loss, sizes, dims)),
            z_loss=vector_field(per_row("z_losses", z_losses, sizes, dims)), lse=vector_field(per_row("lse", lse, sizes, dims)),
            total=total, total_z_loss=total_z_loss, total_weight=total_weight,
            row_flags=plain("flags", per_row("flags", flags, sizes, dims), UInt32), grad=matrix_field(g), grad_scale=grad_scale)
        @check(context, Raw.vmx_cross_entropy(handle(context), scratch(workspace), matrix_ref(rows), Ref(csr_field("targets", targets)), Ref(out),
                                    Ref(options)))
    end
    return (total=totals.total, z_loss=totals.z_loss, weight=totals.weight)
end

"""
    ∇crossentropy(dloss, x, targets; lse=nothing, options...)

The backward pass alone: the gradient of each row's loss and z-loss by `x`, times `dloss`: a number for all rows, or `Float32` or `Float64` with one for each
row. A mean is the caller's division by the weight. `lse`: what the forward call gave, or `nothing`: computed again. Options as for
[`crossentropy`](@ref), but `reduction` and `flags`. The result has the size and element type of `x`.

```jldoctest
julia> ∇crossentropy(1, [0.0, 0.0], [2])
2-element Array{Float64,1}:
  0.5
 -0.5
```
"""
@inline ∇crossentropy(dloss, x::AbstractArray{T,N}, targets; options...) where {T,N} =
    ∇crossentropy!(Array{T,N}(undef, size(x)), dloss, x, targets; options...)

"""
    ∇crossentropy!(dx, dloss, x, targets; lse=nothing, options...) -> dx

[`∇crossentropy`](@ref) into `dx`, which may be exactly `x`.
"""
@inline function ∇crossentropy!(dx::AbstractArray, dloss, x::AbstractArray, targets; dims=1, lse=nothing, ignore_index::Integer=-100,
                        label_smoothing::Real=0.0, softcap::Real=0.0, z_loss::Real=0.0, class_weight=nothing, smooth_unmasked::Bool=false,
                        temperature=nothing, context=nothing, workspace=nothing)
    same_size("dx", dx, "x", x)
    rows = one_matrix("x", rows_of("x", x, dims))
    grad = one_matrix("dx", rows_of("dx", dx, dims))
    sizes = rows.sizes
    t, d = temperature_memory(temperature), value_memory(dloss)
    GC.@preserve dx d x targets lse class_weight t context workspace begin
        options = crossentropy_options(:none, ignore_index, label_smoothing, softcap, z_loss, class_weight, smooth_unmasked,
                                       per_row("temperature", t, sizes, dims))
        @check(context, Raw.vmx_cross_entropy_backward(handle(context), scratch(workspace), matrix_ref(rows), Ref(csr_field("targets", targets)),
            vector_ref(per_row("lse", lse, sizes, dims)), vector_ref(per_row("dloss", d, sizes, dims)), matrix_ref(grad), Ref(options)))
    end
    return dx
end
