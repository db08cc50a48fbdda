# SPDX-License-Identifier: Apache-2.0
# The upper half of a Float32, as an element type of arrays.

"""
    BFloat16 <: AbstractFloat

The upper 16 bits of a `Float32`, for scores, probabilities, hidden vectors and weights. `BFloat16(x)` rounds to nearest, ties to
even; arithmetic goes by way of `Float32`. An array of raw bits is one of `BFloat16` without a copy:
`reinterpret(BFloat16, bits)` for `bits::Array{UInt16}`. Another package's type with the same bits serves as it is after
`Vastmax.dtype(::Type{ThatType}) = Vastmax.Raw.VMX_BF16`.

```jldoctest
julia> BFloat16(1.5f0)
BFloat16(1.5)

julia> reinterpret(UInt16, BFloat16(1))
0x3f80

julia> softmax(BFloat16[0, 0])
2-element Array{BFloat16,1}:
 BFloat16(0.5)
 BFloat16(0.5)
```
"""
primitive type BFloat16 <: AbstractFloat 16 end

function BFloat16(x::Float32)
    bits = reinterpret(UInt32, x)
    # A NaN stays one: its payload must not round away.
    isnan(x) && return reinterpret(BFloat16, (bits >> 16) % UInt16 | 0x0040)
    return reinterpret(BFloat16, ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) % UInt16)
end
# Float16 and small integers are exact in Float32.
BFloat16(x::Union{Float16,Int8,UInt8,Int16,UInt16}) = BFloat16(Float32(x))
# Others are rounded to Float32 with the last bit odd if inexact, so that the second rounding sees which side it came from.
BFloat16(x::Real) = round_once(x)
BFloat16(x::Rational) = round_once(x) # Base has one for every AbstractFloat
function round_once(x)
    near = Float32(x)
    (isfinite(near) && near != x) || return BFloat16(near)
    bits = reinterpret(UInt32, near)
    if iseven(bits)
        bits = abs(Float64(near)) < abs(x) ? bits + 0x1 : bits - 0x1
    end
    return BFloat16(reinterpret(Float32, bits))
end
BFloat16(x::BFloat16) = x

Base.Float32(x::BFloat16) = reinterpret(Float32, UInt32(reinterpret(UInt16, x)) << 16)
Base.Float64(x::BFloat16) = Float64(Float32(x))
Base.Float16(x::BFloat16) = Float16(Float32(x))
(::Type{T})(x::BFloat16) where {T<:Integer} = T(Float32(x))
Base.Bool(x::BFloat16) = Bool(Float32(x))

Base.promote_rule(::Type{BFloat16}, ::Type{T}) where {T<:Integer} = BFloat16
Base.promote_rule(::Type{BFloat16}, ::Type{Float16}) = Float32
Base.promote_rule(::Type{BFloat16}, ::Type{Float32}) = Float32
Base.promote_rule(::Type{BFloat16}, ::Type{Float64}) = Float64

for op in (:+, :-, :*, :/)
    @eval Base.$op(a::BFloat16, b::BFloat16) = BFloat16($op(Float32(a), Float32(b)))
end
Base.:-(a::BFloat16) = reinterpret(BFloat16, reinterpret(UInt16, a) ⊻ 0x8000)
for op in (:(==), :<, :<=)
    @eval Base.$op(a::BFloat16, b::BFloat16) = $op(Float32(a), Float32(b))
end
for op in (:isnan, :isinf, :isfinite, :signbit)
    @eval Base.$op(a::BFloat16) = $op(Float32(a))
end
Base.abs(a::BFloat16) = reinterpret(BFloat16, reinterpret(UInt16, a) & 0x7fff)
Base.isless(a::BFloat16, b::BFloat16) = isless(Float32(a), Float32(b))
Base.hash(a::BFloat16, seed::UInt) = hash(Float32(a), seed)
Base.eps(::Type{BFloat16}) = BFloat16(2.0f0^-7)
Base.typemin(::Type{BFloat16}) = reinterpret(BFloat16, 0xff80)
Base.typemax(::Type{BFloat16}) = reinterpret(BFloat16, 0x7f80)
Base.show(io::IO, x::BFloat16) = print(io, "BFloat16(", Float32(x), ")")
