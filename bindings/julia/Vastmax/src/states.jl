# SPDX-License-Identifier: Apache-2.0
# Partial states: what a slice of a row amounts to, to be merged over tiles, threads and machines.

"""
    LseState()

What a slice of a row amounts to, for [`fold!`](@ref), `merge!` and [`finish`](@ref): 96 plain bytes, little-endian, without padding;
send or write them as they are. `LseState()` is the empty state. Merging is exactly associative and commutative: any tree of
merges of slices cut at multiples of `Vastmax.BLOCK` gives the same bytes as one fold of the whole row.

```jldoctest
julia> sizeof(LseState)
96

julia> x = randn(Float32, 10_000);

julia> whole = fold!([LseState()], x);

julia> left, right = fold!([LseState()], x[1:8192]), fold!([LseState()], x[8193:end]; offset=8192);

julia> merge!(left, right) == whole
true

julia> finish(left, Float32)[1] == logsumexp(x)
true
```
"""
const LseState = Raw.vmx_lse_state

"""
    LseShort(max, sum)

The 16-byte form of an [`LseState`](@ref), for those who need the log-sum-exp alone: `sum` of `exp(z)` is `sum * exp(max)`.
`LseShort(-Inf, 0)` is the empty one. Merging rounds, so the last bits depend on the order.
"""
const LseShort = Raw.vmx_lse_short

"""
    Vastmax.BLOCK

Classes of one summation block (4096). Slices of a row cut at multiples of it give the same bits as the whole row.
"""
const BLOCK = Int(Raw.VMX_BLOCK)

"""
    Vastmax.MAX_CLASSES

The most classes a row, or all its slices together, may have.
"""
const MAX_CLASSES = Int(Raw.VMX_MAX_COLS)

@inline states_pointer(name, a::AbstractVector{T}) where {T} =
    length(a) <= 1 || locate(name, a)[2] == (1,) ? Ptr{T}(locate(name, a)[1]) : throw_plain(name)
@inline same_length(name, a, n, other) = length(a) == n ? nothing : throw_length(name, length(a), n, other)
@noinline throw_length(name, found, wanted, other) = throw(DimensionMismatch("$name has length $found, $other has $wanted"))

"""
    fold!(states, x; dims=1, offset=0, sums=false, entropy=false, temperature=1, class_weight=nothing, skip=nothing,
          context=nothing, workspace=nothing) -> states

Folds a slice of classes into `states`, a contiguous vector of [`LseState`](@ref) with one for each row of `x`.

  * `x`: scores of the slice, as for [`logsumexp`](@ref). `offset`: how many classes of the whole row stand before it.
  * `sums`: also keep what label smoothing and mean scores need; `entropy`: also what [`finish`](@ref) needs for the entropy.
  * `class_weight`: with `sums`, `nothing` or a contiguous vector of `Float32`, one weight for each class of the slice.
  * `skip`: `nothing` or one class for each row, counted from 1 over the whole row, that is left out if it lies in this slice.

`NaN`, `+Inf` and `-Inf` are noted in the state and never fail. `ArgumentError` for a negative `offset` or for states of other `sums` or `entropy`.

```jldoctest
julia> states = fold!([LseState() for _ in 1:2], [1.0 0.0; 1.0 -Inf]);

julia> finish(states)
2-element Array{Float64,1}:
 1.6931471805599454
 0.0
```
"""
@inline function fold!(states::AbstractVector{LseState}, x::AbstractArray; dims=1, offset::Integer=0, sums::Bool=false, entropy::Bool=false,
               temperature=nothing, class_weight=nothing, skip=nothing, context=nothing, workspace=nothing)
    rows = one_matrix("x", rows_of("x", x, dims))
    same_length("states", states, row_count(rows), "x, in rows,")
    bits = (sums ? Raw.VMX_FOLD_SUMS : UInt32(0)) | (entropy ? Raw.VMX_FOLD_ENTROPY : UInt32(0))
    t = temperature_memory(temperature)
    GC.@preserve states x t class_weight skip context workspace begin
        options = Ref(lse_options(bits, per_row("temperature", t, rows.sizes, dims), class_weight, skip))
        @check(context, Raw.vmx_lse_fold(handle(context), scratch(workspace), matrix_ref(rows), offset, states_pointer("states", states), options))
    end
    return states
end

@inline lse_options(bits, t, class_weight, skip) = Raw.vmx_lse_options(flags=bits, temperature=temperature_pointer(t),
    temperature_stride=temperature_stride(t), class_weight=vector_field(plain_vector("class_weight", class_weight)), skip=ids_field("skip", skip))

"""
    merge!(into::AbstractVector{LseState}, from::AbstractVector{LseState}) -> into
    merge!(into::AbstractVector{LseShort}, from::AbstractVector{LseShort}) -> into

Merges each state of `from` into that of `into`. `DimensionMismatch` for another length, `ArgumentError` for states folded with
other `sums` or `entropy`; nothing is written then.
"""
@inline function Base.merge!(into::AbstractVector{LseState}, from::AbstractVector{LseState})
    same_length("from", from, length(into), "into")
    GC.@preserve into from check(Raw.vmx_lse_merge(states_pointer("into", into), states_pointer("from", from), length(into)))
    return into
end
@inline function Base.merge!(into::AbstractVector{LseShort}, from::AbstractVector{LseShort})
    same_length("from", from, length(into), "into")
    GC.@preserve into from check(Raw.vmx_lse_short_merge(states_pointer("into", into), states_pointer("from", from), length(into)))
    return into
end

"""
    finish(states, T=Float64; temperature=1) -> Vector{T}

The log-sum-exp of each state, as [`logsumexp`](@ref) gives it. `T` is `Float64` or `Float32`. The temperature is that of the fold. States are
[`LseState`](@ref) or [`LseShort`](@ref) (which take no temperature: they hold it).
"""
finish(states::AbstractVector, T::Type{<:Union{Float32,Float64}}=Float64; options...) =
    finish!(Vector{T}(undef, length(states)), states; options...)

"""
    finish!(lse, states; entropy=nothing, flags=nothing, temperature=1) -> lse

[`finish`](@ref) into `lse` (or `nothing`), and into `entropy` the entropy of `softmax(x / T)` in nats, which needs states folded with
`entropy=true` (else `ArgumentError`) and is `NaN` where a row is empty or holds `NaN` or `+Inf`. `flags` as in [`logsumexp`](@ref).

```jldoctest
julia> states = fold!([LseState()], zeros(4); entropy=true);

julia> entropy = zeros(1);

julia> finish!(nothing, states; entropy=entropy);

julia> entropy[1] ≈ log(4)
true
```
"""
@inline function finish!(lse, states::AbstractVector{LseState}; entropy=nothing, flags=nothing, temperature=nothing)
    t = temperature_memory(temperature)
    n = (length(states),)
    GC.@preserve lse states entropy flags t begin
        options = Ref(lse_options(UInt32(0), per_row("temperature", t, n, nothing), nothing, nothing))
        check(Raw.vmx_lse_finish(states_pointer("states", states), length(states), options, vector_ref(per_row("lse", lse, n, nothing)),
                                 vector_ref(per_row("entropy", entropy, n, nothing)), plain("flags", per_row("flags", flags, n, nothing), UInt32)))
    end
    return lse
end
@inline function finish!(lse, states::AbstractVector{LseShort})
    GC.@preserve lse states check(Raw.vmx_lse_short_finish(states_pointer("states", states), length(states),
        vector_ref(per_row("lse", lse, (length(states),), nothing))))
    return lse
end

"""
    shorten(states; temperature=1) -> Vector{LseShort}

The 16-byte form of each state. `NaN`, `+Inf` and empty rows give `{NaN, NaN}`, `{Inf, 1}`, `{-Inf, 0}`. The temperature is that of the
fold.

```jldoctest
julia> short = shorten(fold!([LseState()], zeros(8)));

julia> finish(merge!(short, copy(short)))[1] ≈ log(16)
true
```
"""
shorten(states::AbstractVector{LseState}; temperature=nothing) = shorten!(Vector{LseShort}(undef, length(states)), states; temperature=temperature)

"""
    shorten!(short, states; temperature=1) -> short

[`shorten`](@ref) into `short`.
"""
@inline function shorten!(short::AbstractVector{LseShort}, states::AbstractVector{LseState}; temperature=nothing)
    same_length("short", short, length(states), "states")
    t = temperature_memory(temperature)
    GC.@preserve short states t begin
        options = Ref(lse_options(UInt32(0), per_row("temperature", t, (length(states),), nothing), nothing, nothing))
        check(Raw.vmx_lse_shorten(states_pointer("states", states), length(states), options, states_pointer("short", short)))
    end
    return short
end
