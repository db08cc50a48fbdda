# SPDX-License-Identifier: Apache-2.0
# Labels: one class for each row, or a list of them.

"""
    Targets(ends, classes, weights=nothing)
    Targets(lists; weights=nothing)

A list of classes for each row, in compressed form: row `r` has `classes[ends[r]:ends[r+1]-1]`, so `ends` has one entry more than
there are rows, begins with 1 and does not fall. `weights` (`Float32` or `Float64`) has one for each class, `nothing` for all 1.
Classes count from 1; all are `Int32` or `Int64` and used in place. The second form gathers a vector of lists.

Where a function takes targets, an array of `Int32` or `Int64` with one class for each row does too.

```jldoctest
julia> targets = Targets([[1, 2], Int[], [3]])
Targets(3 rows, 3 classes)

julia> targets.ends
4-element Array{Int64,1}:
 1
 3
 3
 4
```
"""
struct Targets{E<:AbstractVector{<:ClassInt},C<:AbstractVector{<:ClassInt},W<:Maybe{AbstractVector{<:Union{Float32,Float64}}}}
    ends::E
    classes::C
    weights::W

    function Targets(ends::AbstractVector{<:ClassInt}, classes::AbstractVector{<:ClassInt},
                     weights::Maybe{AbstractVector{<:Union{Float32,Float64}}}=nothing)
        isempty(ends) && throw(ArgumentError("ends is empty: it has one entry more than there are rows"))
        weights === nothing || same_length("weights", weights, length(classes), "classes")
        return new{typeof(ends),typeof(classes),typeof(weights)}(ends, classes, weights)
    end
end
Targets(lists::AbstractVector{<:AbstractVector{<:Integer}}; weights=nothing) =
    Targets(cumsum([1; map(length, lists)]), reduce(vcat, lists; init=Int[]), weights)

Base.show(io::IO, t::Targets) = print(io, "Targets(", length(t.ends) - 1, " rows, ", length(t.classes), " classes)")

const Labels = Union{AbstractArray{<:ClassInt},Targets}

@inline csr_field(name, ::Nothing; base=1) = Raw.vmx_csr()
@inline csr_field(name, classes::AbstractArray{<:ClassInt}; base=1) =
    Raw.vmx_csr(no_ids(), ids_field(name, classes; base=base), Raw.vmx_vector())
@inline csr_field(name, t::Targets; base=1) =
    Raw.vmx_csr(ids_field("ends", t.ends), ids_field("classes", t.classes; base=base), vector_field(plain_vector("weights", t.weights)))
@noinline csr_field(name, other; base=1) =
    throw(ArgumentError("$name is a $(typeof(other)): an array of Int32 or Int64 with one class for each row, or Targets"))

label_count(classes::AbstractArray) = length(classes)
label_count(t::Targets) = length(t.classes)
