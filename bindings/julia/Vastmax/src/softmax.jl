# SPDX-License-Identifier: Apache-2.0
# Log-sum-exp, softmax, log-softmax and their gradients, of given scores.

"""
    ROW_EMPTY, ROW_NAN, ROW_INF, ROW_UNDERFULL

Bits of the `flags` word of a row: no class is allowed (no classes, or all `-Inf`); the row holds a `NaN`; it holds `+Inf`; fewer than
`k` classes were there to choose. Data never make a call fail: this is where they are told of.

```jldoctest
julia> flags = zeros(UInt32, 2);

julia> logsumexp(Float32[1 NaN; 2 0]; dims=1, flags=flags);

julia> flags .== [0, ROW_NAN]
2-element BitArray{1}:
 1
 1
```
"""
const ROW_EMPTY = Raw.VMX_ROW_EMPTY
const ROW_NAN = Raw.VMX_ROW_NAN
const ROW_INF = Raw.VMX_ROW_INF
const ROW_UNDERFULL = Raw.VMX_ROW_UNDERFULL
@doc (@doc ROW_EMPTY) ROW_NAN
@doc (@doc ROW_EMPTY) ROW_INF
@doc (@doc ROW_EMPTY) ROW_UNDERFULL

# Rows of one set of sizes, whatever the dimension they leave out.
@inline reduced_size(x::AbstractArray{T,N}, dims::Integer) where {T,N} = ntuple(i -> i == dims ? 1 : size(x, i), Val(N))

@inline softmax_flags(precise, zero_masked) = (precise ? Raw.VMX_PRECISE : UInt32(0)) | (zero_masked ? Raw.VMX_ZERO_MASKED : UInt32(0))

@inline softmax_options(flags, temperature) = Ref(Raw.vmx_softmax_options(flags=flags,
    temperature=temperature_pointer(temperature), temperature_stride=temperature_stride(temperature)))

"""
    logsumexp(x; dims=:, temperature=1, flags=nothing, context=nothing, workspace=nothing)

`log(sum(exp.(x ./ T); dims))`, without overflow and in one read of `x`.

  * `x`: scores, `Float32`, `Float64`, `Float16` or [`BFloat16`](@ref), any strides, read in place.
  * `dims`: the dimension of the classes, or `:` for all elements, which must then stand at one distance in memory.
  * `temperature`: a number, or an array of `Float32` with one for each row. `+Inf`: all allowed classes alike.
  * `flags`: `nothing`, or an array of `UInt32` with a word for each row, written: [`ROW_NAN`](@ref), ....
  * `context`, `workspace`: see [`Context`](@ref), [`Workspace`](@ref).

Returns a number for `dims=:`, else an array with size 1 in `dims`: `Float32`, or `Float64` for `Float64` scores.

A `NaN` in a row gives `NaN`; else a `+Inf` gives `+Inf`; no classes, or all `-Inf`, give `-Inf`. The error is at most `u*max(1, |lse|) +
16u`, `u = 2^-24` (`2^-53` for `Float64`). Throws `ArgumentError` for a temperature that is negative or `NaN` and for other
element types, `DimensionMismatch` for a `flags` or `temperature` of another length.

```jldoctest
julia> logsumexp(Float32[0, 0, 0, 0])
1.3862944f0

julia> logsumexp(Float32[1 5; 2 5; 3 5]; dims=1)
1×2 Array{Float32,2}:
 3.40761  6.09861

julia> logsumexp([-Inf, 0.0, 0.0]; temperature=0.5)
0.6931471805599453
```
"""
@inline function logsumexp(x::AbstractArray{T}; dims=:, temperature=nothing, flags=nothing, context=nothing, workspace=nothing) where {T}
    if dims === (:)
        out = Ref{result_type(T)}()
        run_logsumexp(out, x, :, flags, temperature, context, workspace)
        return out[]
    end
    dims isa Integer && 1 <= dims <= ndims(x) || throw_dims("x", ndims(x), dims)
    return logsumexp!(Array{result_type(T)}(undef, reduced_size(x, dims)), x; dims=dims, temperature=temperature, flags=flags,
                      context=context, workspace=workspace)
end

"""
    logsumexp!(lse, x; dims=1, temperature=1, flags=nothing, context=nothing, workspace=nothing) -> lse

[`logsumexp`](@ref) into `lse`, which has a value for each row: of size 1 in `dims`, without that dimension, or a vector of as many.
It must not overlap `x`. Allocates nothing.

```jldoctest
julia> lse = zeros(Float32, 2);

julia> logsumexp!(lse, Float32[0 1; 0 1])
2-element Array{Float32,1}:
 0.6931472
 1.6931472
```
"""
@inline function logsumexp!(lse, x::AbstractArray; dims=1, temperature=nothing, flags=nothing, context=nothing, workspace=nothing)
    run_logsumexp(lse, x, dims, flags, temperature, context, workspace)
    return lse
end

@inline function run_logsumexp(lse, x, dims, flags, temperature, context, workspace)
    rows = rows_of("x", x, dims)
    t = temperature_memory(temperature)
    GC.@preserve x lse flags t context workspace begin
        each_part(rows.sizes, (rows,), (per_row("lse", lse, rows.sizes, dims), per_row("flags", flags, rows.sizes, dims)),
                  per_row("temperature", t, rows.sizes, dims)) do x, lse, flags, t
            @check(context, Raw.vmx_logsumexp(handle(context), scratch(workspace), matrix_ref(x), vector_ref(lse), plain("flags", flags, UInt32),
                                    softmax_options(UInt32(0), t)))
        end
    end
    return nothing
end

"""
    softmax(x; dims=1, temperature=1, precise=false, zero_masked=false, lse=nothing, flags=nothing, context=nothing, workspace=nothing)

`exp.(x ./ T .- logsumexp(x; dims))`, an array of the size and element type of `x`.

  * `precise`: a relative error of 8 roundings over the whole range, else `(8 + |x - max|/T)`; slower.
  * `zero_masked`: a row without an allowed class gives 0 and not `NaN`.
  * `lse`: `nothing`, or an array with a value for each row, written as [`logsumexp!`](@ref) does.
  * the others as for [`logsumexp`](@ref), whose errors it shares.

`-Inf` is a mask: exactly 0. `NaN` or `+Inf` in a row: all of it `NaN`. Results below `2^-126` in `Float32` arithmetic are 0.

```jldoctest
julia> softmax(Float32[1 0; 1 -Inf])
2×2 Array{Float32,2}:
 0.5  1.0
 0.5  0.0

julia> softmax([0.0 0.0 0.0 0.0]; dims=2)
1×4 Array{Float64,2}:
 0.25  0.25  0.25  0.25
```
"""
@inline softmax(x::AbstractArray{T,N}; options...) where {T,N} = softmax!(Array{T,N}(undef, size(x)), x; options...)

"""
    softmax!(y, x=y; options...) -> y

[`softmax`](@ref) into `y`, of the size of `x` and any of the four element types (rounded once). `y` may be exactly `x`; any
other overlap is an `ArgumentError`. Allocates nothing with a warm `workspace`.

```jldoctest
julia> x = Float32[0 1; 0 1];

julia> softmax!(x)
2×2 Array{Float32,2}:
 0.5  0.5
 0.5  0.5

julia> softmax!(zeros(Float16, 4), zeros(4))
4-element Array{Float16,1}:
 0.25
 0.25
 0.25
 0.25
```
"""
@inline function softmax!(y::AbstractArray, x::AbstractArray=y; dims=1, temperature=nothing, precise::Bool=false, zero_masked::Bool=false,
                          lse=nothing, flags=nothing, context=nothing, workspace=nothing)
    run_softmax(Raw.vmx_softmax, y, x, dims, lse, flags, temperature, softmax_flags(precise, zero_masked), context, workspace)
    return y
end

"""
    logsoftmax(x; dims=1, temperature=1, precise=false, zero_masked=false, lse=nothing, flags=nothing, context=nothing, workspace=nothing)

`x ./ T .- logsumexp(x; dims)`, the logarithm of [`softmax`](@ref), with its options. `-Inf` stays `-Inf`; a row without an
allowed class gives `NaN`, or `-Inf` with `zero_masked`.

```jldoctest
julia> logsoftmax(Float32[0, 0])
2-element Array{Float32,1}:
 -0.6931472
 -0.6931472
```
"""
@inline logsoftmax(x::AbstractArray{T,N}; options...) where {T,N} = logsoftmax!(Array{T,N}(undef, size(x)), x; options...)

"""
    logsoftmax!(y, x=y; options...) -> y

[`logsoftmax`](@ref) into `y`, as [`softmax!`](@ref) does.

```jldoctest
julia> logsoftmax!([0.0 -Inf; 0.0 1.0])
2×2 Array{Float64,2}:
 -0.693147  -Inf
 -0.693147    0.0
```
"""
@inline function logsoftmax!(y::AbstractArray, x::AbstractArray=y; dims=1, temperature=nothing, precise::Bool=false,
                             zero_masked::Bool=false, lse=nothing, flags=nothing, context=nothing, workspace=nothing)
    run_softmax(Raw.vmx_log_softmax, y, x, dims, lse, flags, temperature, softmax_flags(precise, zero_masked), context, workspace)
    return y
end

@inline function run_softmax(operation::F, y, x, dims, lse, flags, temperature, bits, context, workspace) where {F}
    same_size("y", y, "x", x)
    rows = rows_of("x", x, dims)
    t = temperature_memory(temperature)
    GC.@preserve x y lse flags t context workspace begin
        each_part(rows.sizes, (rows,), (rows_of("y", y, dims), per_row("lse", lse, rows.sizes, dims), per_row("flags", flags, rows.sizes, dims)),
                  per_row("temperature", t, rows.sizes, dims)) do x, y, lse, flags, t
            @check(context, operation(handle(context), scratch(workspace), matrix_ref(x), matrix_ref(y), vector_ref(lse), plain("flags", flags, UInt32),
                            softmax_options(bits, t)))
        end
    end
    return nothing
end

"""
    ∇logsumexp(dlse, x; dims=:, lse=nothing, temperature=1, context=nothing, workspace=nothing)

Gradient of [`logsumexp`](@ref) by `x`: `dlse .* softmax(x / T) ./ T`, of the size and element type of `x`.

  * `dlse`: the gradient of the result: a number for all rows, or an array of `Float32` or `Float64` with one for each row.
  * `lse`: what `logsumexp` gave for the same `x` and temperature, which saves a read of `x`; `nothing`: computed again.

Rows with `NaN` or `+Inf` give `NaN`, rows without an allowed class 0.

```jldoctest
julia> ∇logsumexp(2, Float32[0, 0])
2-element Array{Float32,1}:
 1.0
 1.0
```
"""
@inline ∇logsumexp(dlse, x::AbstractArray{T,N}; dims=:, options...) where {T,N} =
    ∇logsumexp!(Array{T,N}(undef, size(x)), dlse, x; dims=dims, options...)

"""
    ∇logsumexp!(dx, dlse, x; dims=1, lse=nothing, temperature=1, context=nothing, workspace=nothing) -> dx

[`∇logsumexp`](@ref) into `dx`, which may be exactly `x`.

```jldoctest
julia> ∇logsumexp!(zeros(2, 2), [1.0 4.0], [0.0 0.0; 0.0 0.0])
2×2 Array{Float64,2}:
 0.5  2.0
 0.5  2.0
```
"""
@inline function ∇logsumexp!(dx::AbstractArray, dlse, x::AbstractArray; dims=1, lse=nothing, temperature=nothing, context=nothing,
                             workspace=nothing)
    same_size("dx", dx, "x", x)
    rows = rows_of("x", x, dims)
    t, d, l = temperature_memory(temperature), value_memory(dlse), value_memory(lse)
    GC.@preserve x dx d l t context workspace begin
        each_part(rows.sizes, (rows, per_row("lse", l, rows.sizes, dims), per_row("dlse", d, rows.sizes, dims)), (rows_of("dx", dx, dims),),
                  per_row("temperature", t, rows.sizes, dims)) do x, lse, dlse, dx, t
            @check(context, Raw.vmx_logsumexp_backward(handle(context), scratch(workspace), matrix_ref(x), vector_ref(lse), vector_ref(dlse),
                                             matrix_ref(dx), softmax_options(UInt32(0), t)))
        end
    end
    return dx
end

# A number goes by its address.
@inline value_memory(x::Union{Float32,Float64}) = Ref(x)
@inline value_memory(x::Real) = Ref(Float64(x))
@inline value_memory(x) = x

"""
    ∇softmax_data(dy, y; dims=1, temperature=1, context=nothing, workspace=nothing)

Gradient of [`softmax`](@ref) by `x`, from `y` that it gave and the gradient `dy` of that: `y .* (dy .- sum(y .* dy; dims)) ./ T`.
`dy` has the size and element type of `y`, and so has the result. Where `y` is 0 the result is 0, whatever `dy` holds there.

```jldoctest
julia> ∇softmax_data(Float32[1, 0], Float32[0.5, 0.5])
2-element Array{Float32,1}:
  0.25
 -0.25
```
"""
@inline ∇softmax_data(dy::AbstractArray, y::AbstractArray{T,N}; options...) where {T,N} =
    ∇softmax_data!(Array{T,N}(undef, size(y)), dy, y; options...)

"""
    ∇softmax_data!(dx, dy, y; dims=1, temperature=1, context=nothing, workspace=nothing) -> dx

[`∇softmax_data`](@ref) into `dx`, which may be exactly `y` or `dy`.

```jldoctest
julia> dy = [1.0, 0.0];

julia> ∇softmax_data!(dy, dy, [0.5, 0.5])
2-element Array{Float64,1}:
  0.25
 -0.25
```
"""
@inline function ∇softmax_data!(dx::AbstractArray, dy::AbstractArray, y::AbstractArray; dims=1, temperature=nothing, context=nothing,
                                workspace=nothing)
    run_backward(Raw.vmx_softmax_backward, dx, dy, y, dims, temperature, context, workspace)
    return dx
end

"""
    ∇logsoftmax_data(dy, y; dims=1, temperature=1, context=nothing, workspace=nothing)

Gradient of [`logsoftmax`](@ref) by `x`, from `y` that it gave and the gradient `dy` of that: `(dy .- exp.(y) .* sum(dy; dims)) ./ T`.
Masked entries (`y = -Inf`) have gradient 0 and do not enter the sum.

```jldoctest
julia> ∇logsoftmax_data([1.0, 0.0], logsoftmax([0.0, 0.0]))
2-element Array{Float64,1}:
  0.5
 -0.5
```
"""
@inline ∇logsoftmax_data(dy::AbstractArray, y::AbstractArray{T,N}; options...) where {T,N} =
    ∇logsoftmax_data!(Array{T,N}(undef, size(y)), dy, y; options...)

"""
    ∇logsoftmax_data!(dx, dy, y; dims=1, temperature=1, context=nothing, workspace=nothing) -> dx

[`∇logsoftmax_data`](@ref) into `dx`, which may be exactly `y` or `dy`.
"""
@inline function ∇logsoftmax_data!(dx::AbstractArray, dy::AbstractArray, y::AbstractArray; dims=1, temperature=nothing, context=nothing,
                                   workspace=nothing)
    run_backward(Raw.vmx_log_softmax_backward, dx, dy, y, dims, temperature, context, workspace)
    return dx
end

@inline function run_backward(operation::F, dx, dy, y, dims, temperature, context, workspace) where {F}
    same_size("dy", dy, "y", y)
    same_size("dx", dx, "y", y)
    rows = rows_of("y", y, dims)
    t = temperature_memory(temperature)
    GC.@preserve dx dy y t context workspace begin
        each_part(rows.sizes, (rows, rows_of("dy", dy, dims)), (rows_of("dx", dx, dims),), per_row("temperature", t, rows.sizes, dims)) do y, dy, dx, t
            @check(context, operation(handle(context), scratch(workspace), matrix_ref(y), matrix_ref(dy), matrix_ref(dx),
                            softmax_options(UInt32(0), t)))
        end
    end
    return nothing
end
