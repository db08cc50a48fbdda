# SPDX-License-Identifier: Apache-2.0
# What the rules use of ChainRulesCore, for tests without a network.
module ChainRulesCore

abstract type AbstractTangent end
abstract type AbstractZero <: AbstractTangent end
struct NoTangent <: AbstractZero end
struct ZeroTangent <: AbstractZero end
struct Tangent{P,T} <: AbstractTangent
    backing::T
end
Tangent{P}(; fields...) where {P} = Tangent{P,typeof(values(fields))}(values(fields))
Base.getproperty(t::Tangent, name::Symbol) = getfield(getfield(t, :backing), name)

struct Thunk{F} <: AbstractTangent
    make::F
end
unthunk(x) = x
unthunk(x::Thunk) = x.make()

function rrule end

end # module
