# SPDX-License-Identifier: Apache-2.0
# The k best classes of each row.

@inline topk_flags(largest, sorted) = (largest ? UInt32(0) : Raw.VMX_TOPK_SMALLEST) | (sorted ? UInt32(0) : Raw.VMX_TOPK_UNSORTED)

# The library adds col_offset to each class it finds, so one more than the classes before the slice counts from 1. It takes the
# same off the classes excluded, which are therefore given as from 0.
@inline topk_options(largest, sorted, offset, excluded) = Raw.vmx_topk_options(flags=topk_flags(largest, sorted),
    col_offset=offset + 1, excluded=csr_field("excluded", excluded; base=0))

# Given as from 0, class 0 would pass for one.
@inline check_excluded(excluded) = nothing
@inline check_excluded(t::Targets) = check_excluded(t.classes)
@inline check_excluded(classes::AbstractArray{<:ClassInt}) = all(c -> c >= 1, classes) ? nothing : throw_excluded(minimum(classes))
@noinline throw_excluded(class) = throw(ArgumentError("excluded holds $class: classes count from 1"))

@inline swap_size(x::AbstractArray{T,N}, dims, k) where {T,N} = ntuple(i -> i == dims ? Int(k) : size(x, i), Val(N))

"""
    topk(x, k; dims=1, largest=true, sorted=true, offset=0, excluded=nothing, index=Int, flags=nothing, context=nothing, workspace=nothing)

The `k` best entries of each row, exactly `k`, ties by the lower class: `(values, ids)`, both of the size of `x` but `k` in `dims`. Classes
count from 1.

  * `largest`: else the smallest. `sorted`: in rank order, else by rising class.
  * `offset`: how many classes of a longer row stand before `x`; added to each class found.
  * `excluded`: `nothing`, or [`Targets`](@ref) (or one class for each row): classes to pass over, counted over the whole row.
  * `index`: element type of `ids`, `Int64` or `Int32`. The others as for [`logsumexp`](@ref).

Larger first; `-0` equals `+0`; `NaN` ranks after everything else. If exclusion leaves fewer than `k` entries ([`ROW_UNDERFULL`](@ref)), the rest has id -1
and value `-Inf` (`+Inf` for the smallest). `ArgumentError` for `k < 1`, `DimensionMismatch` for more than there are classes.

```jldoctest
julia> topk([3.0, 1.0, 3.0, 2.0], 3)
(values = [3.0, 3.0, 2.0], ids = [1, 3, 4])

julia> topk(Float32[1 2; 4 3; 0 5], 2).ids
2×2 Array{Int64,2}:
 2  3
 1  2

julia> topk([3.0, 1.0, 3.0, 2.0], 2; excluded=[1]).ids
2-element Array{Int64,1}:
 3
 4
```
"""
function topk(x::AbstractArray{T,N}, k::Integer; dims::Integer=1, index::Type{<:ClassInt}=Int, options...) where {T,N}
    k >= 1 || throw(ArgumentError("k = $k: at least 1"))
    1 <= dims <= N || throw_dims("x", N, dims)
    k <= size(x, dims) || throw(DimensionMismatch("k = $k: x has $(size(x, dims)) classes"))
    size_of_result = swap_size(x, dims, k)
    return topk!(Array{T,N}(undef, size_of_result), Array{index,N}(undef, size_of_result), x; dims=dims, options...)
end

"""
    topk!(values, ids, x; options...) -> (values, ids)

[`topk`](@ref) into `values` (of the element type of `x`) and `ids` (`Int64` or `Int32`), whose size in `dims` is `k`. One of them may be `nothing`.
Allocates nothing with a warm `workspace`.

```jldoctest
julia> ids = zeros(Int32, 2);

julia> topk!(nothing, ids, [5.0, 7.0, 6.0]).ids
2-element Array{Int32,1}:
 2
 3
```
"""
@inline function topk!(values, ids, x::AbstractArray; dims=1, largest::Bool=true, sorted::Bool=true, offset::Integer=0, excluded=nothing,
               flags=nothing, context=nothing, workspace=nothing)
    rows = rows_of("x", x, dims)
    v, i = list_rows("values", values, dims), list_rows("ids", ids, dims)
    k = list_length(v, i)
    check_lists(v, i, rows.sizes)
    offset >= 0 || throw_offset(offset)
    check_excluded(excluded)
    GC.@preserve values ids x flags excluded context workspace begin
        excluded === nothing || one_matrix("x", rows)
        each_part(rows.sizes, (rows,), (v, i, per_row("flags", flags, rows.sizes, dims))) do x, v, i, flags, _
            @check(context, Raw.vmx_topk(handle(context), scratch(workspace), matrix_ref(x), k, matrix_ref(v), matrix_ref(i), plain("flags", flags, UInt32),
                               Ref(topk_options(largest, sorted, offset, excluded))))
        end
    end
    return (values=values, ids=ids)
end

@inline list_rows(name, ::Nothing, dims) = nothing
@inline list_rows(name, a::AbstractArray, dims) = rows_of(name, a, dims)
@inline list_length(v::Rows, i) = v.cols
@inline list_length(::Nothing, i::Rows) = i.cols
@noinline list_length(::Nothing, ::Nothing) = throw(ArgumentError("values and ids are both nothing"))
@inline function check_lists(v, i, sizes)
    v === nothing || v.sizes == sizes || throw_rows("values", v.sizes, sizes)
    i === nothing || i.sizes == sizes || throw_rows("ids", i.sizes, sizes)
    v === nothing || i === nothing || v.cols == i.cols || throw_entries(v.cols, i.cols)
    return nothing
end
@noinline throw_rows(name, found, wanted) = throw(DimensionMismatch("$name has rows of size $found, the scores have $wanted"))
@noinline throw_entries(values, ids) = throw(DimensionMismatch("values has $values entries a row, ids has $ids"))
@noinline throw_offset(offset) = throw(ArgumentError("offset = $offset: at least 0"))

"""
    topk_merge(values, ids, k; dims=1, largest=true, sorted=true, flags=nothing, context=nothing, workspace=nothing)

Merges lists: the `k` best of the entries of each row by the order of [`topk`](@ref), `(values, ids)`. Entries with id -1 are empty slots. So a row split over
shards is `topk` of each with its `offset`, the lists side by side, and one merge. No class may stand twice in a row.

```jldoctest
julia> x = [5.0, 1.0, 7.0, 6.0];

julia> left, right = topk(x[1:2], 2), topk(x[3:4], 2; offset=2);

julia> topk_merge([left.values; right.values], [left.ids; right.ids], 2)
(values = [7.0, 6.0], ids = [3, 4])
```
"""
function topk_merge(values::AbstractArray{T,N}, ids::AbstractArray{I,N}, k::Integer; dims::Integer=1, options...) where {T,I<:ClassInt,N}
    k >= 1 || throw(ArgumentError("k = $k: at least 1"))
    1 <= dims <= N || throw_dims("values", N, dims)
    k <= size(values, dims) || throw(DimensionMismatch("k = $k: values has $(size(values, dims)) entries a row"))
    size_of_result = swap_size(values, dims, k)
    return topk_merge!(Array{T,N}(undef, size_of_result), Array{I,N}(undef, size_of_result), values, ids; dims=dims, options...)
end

"""
    topk_merge!(values, ids, values_in, ids_in; options...) -> (values, ids)

[`topk_merge`](@ref) into `values` and `ids`, whose size in `dims` is `k`. One of them may be `nothing`.
"""
@inline function topk_merge!(values, ids, values_in::AbstractArray, ids_in::AbstractArray; dims=1, largest::Bool=true, sorted::Bool=true, flags=nothing,
                     context=nothing, workspace=nothing)
    same_size("ids_in", ids_in, "values_in", values_in)
    rows = rows_of("values_in", values_in, dims)
    v, i = list_rows("values", values, dims), list_rows("ids", ids, dims)
    k = list_length(v, i)
    check_lists(v, i, rows.sizes)
    GC.@preserve values ids values_in ids_in flags context workspace begin
        each_part(rows.sizes, (rows, rows_of("ids_in", ids_in, dims)), (v, i, per_row("flags", flags, rows.sizes, dims))) do x, y, v, i, flags, _
            @check(context, Raw.vmx_topk_merge(handle(context), scratch(workspace), matrix_ref(x), matrix_ref(y), k, matrix_ref(v), matrix_ref(i),
                                     plain("flags", flags, UInt32), Ref(Raw.vmx_topk_options(flags=topk_flags(largest, sorted)))))
        end
    end
    return (values=values, ids=ids)
end
