# SPDX-License-Identifier: Apache-2.0
# Classes that the C ABI counts from 0 (those drawn, those of sparse rows), seen from Julia as counted from 1.

"""
    ClassIds(undef, size...)
    ClassIds{Int32}(undef, size...)
    ClassIds(classes)

An array of classes counted from 1, which the library reads and writes in place although it counts from 0: what is stored is one less,
and 0 is an empty slot. [`draw`](@ref) returns one, [`Candidates`](@ref) and [`SparseRows`](@ref) hold one. The last form copies an array of classes counted from
1; `ClassIds(zero_based=array)` sees an array counted from 0 (-1 for an empty slot) without a copy, and `parent` gives that array.

```jldoctest
julia> ids = ClassIds([3, 1, 0])
3-element ClassIds{Int64,1,Array{Int64,1}}:
 3
 1
 0

julia> parent(ids)
3-element Array{Int64,1}:
  2
  0
 -1
```
"""
struct ClassIds{T<:ClassInt,N,A<:AbstractArray{T,N}} <: AbstractArray{T,N}
    zero_based::A
    ClassIds(; zero_based::AbstractArray{T,N}) where {T<:ClassInt,N} = new{T,N,typeof(zero_based)}(zero_based)
end
ClassIds{T}(::UndefInitializer, size::Integer...) where {T} = ClassIds(zero_based=Array{T}(undef, size...))
ClassIds(::UndefInitializer, size::Integer...) = ClassIds{Int}(undef, size...)
ClassIds(classes::AbstractArray{T}) where {T<:ClassInt} = ClassIds(zero_based=classes .- one(T))

Base.parent(a::ClassIds) = a.zero_based
Base.size(a::ClassIds) = size(a.zero_based)
Base.IndexStyle(::Type{<:ClassIds{T,N,A}}) where {T,N,A} = IndexStyle(A)
Base.@propagate_inbounds Base.getindex(a::ClassIds{T}, i::Int...) where {T} = a.zero_based[i...] + one(T)
Base.@propagate_inbounds Base.setindex!(a::ClassIds{T}, class, i::Int...) where {T} = (a.zero_based[i...] = T(class) - one(T); a)
Base.strides(a::ClassIds) = strides(a.zero_based)
Base.view(a::ClassIds, index...) = ClassIds(zero_based=view(a.zero_based, index...))
Base.reshape(a::ClassIds, size::Dims) = ClassIds(zero_based=reshape(a.zero_based, size))
