# SPDX-License-Identifier: Apache-2.0
# Julia arrays as the views of the C ABI, without copies. Classes run along one dimension of an array ("dims"), all other
# dimensions are rows. A Rows is an array seen so; where the rows of all arrays of a call stand at one distance it is one
# call, else one for each run of the first row dimension.

const Maybe{T} = Union{Nothing,T}
# What Base gives strides and an address of its own; others are asked for both, with an error of ours if they have none.
const KnownStrided = Union{StridedArray,PermutedDimsArray{<:Any,<:Any,<:Any,<:Any,<:StridedArray},
                           Transpose{<:Real,<:StridedVecOrMat},Adjoint{<:Real,<:StridedVecOrMat}}

"""
    Vastmax.dtype(T) -> Int32

Number of the element type `T` in the C ABI. Add a method for a type with the bits of one of them.
"""
dtype(::Type{Float32}) = Raw.VMX_F32
dtype(::Type{Float64}) = Raw.VMX_F64
dtype(::Type{Float16}) = Raw.VMX_F16
dtype(::Type{BFloat16}) = Raw.VMX_BF16
dtype(::Type{Int32}) = Raw.VMX_I32
dtype(::Type{Int64}) = Raw.VMX_I64
@noinline dtype(::Type{T}) where {T} =
    throw(ArgumentError("elements of type $T: vastmax takes Float32, Float64, Float16 and BFloat16, and Int32 and Int64 for classes"))

# Log-sum-exps and losses of scores of a type.
result_type(::Type{Float64}) = Float64
result_type(::Type{T}) where {T} = Float32

@inline function locate(name, x::KnownStrided)
    Base.has_offset_axes(x) && throw_offset_axes(name)
    return Ptr{Cvoid}(pointer(x)), strides(x)
end
function locate(name, x::AbstractArray)
    Base.has_offset_axes(x) && throw_offset_axes(name)
    try
        return Ptr{Cvoid}(pointer(x)), strides(x)
    catch
        throw(ArgumentError("$name is a $(typeof(x)), which has no strides in memory: collect it first"))
    end
end

# Classes and rows are counted by their place: with other indices the results would speak of other elements.
@noinline throw_offset_axes(name) = throw(ArgumentError("the indices of $name do not begin at 1"))

# The stride at which the elements of all these dimensions follow each other, or nothing.
@inline function fused_stride(sizes::NTuple{M,Int}, strides::NTuple{M,Int}) where {M}
    step, span, seen = 1, 0, false
    for k in 1:M
        sizes[k] == 0 && return 1
    end
    for k in 1:M
        sizes[k] == 1 && continue
        if !seen
            step, seen = strides[k], true
        elseif strides[k] != span
            return nothing
        end
        span = strides[k] * sizes[k]
    end
    return step
end

# -------------------------------------------------------------------------------------------------- rows of classes

struct Rows{M}
    data::Ptr{Cvoid}
    dtype::Int32
    width::Int # bytes of an element
    cols::Int
    col_stride::Int
    sizes::NTuple{M,Int} # of the row dimensions
    strides::NTuple{M,Int}
end

@inline without(t::NTuple{N,Int}, d::Int) where {N} = ntuple(i -> t[i < d ? i : i + 1], Val(N - 1))

@inline function rows_of(name, x::AbstractArray{T,N}, dims::Integer) where {T,N}
    number = dtype(T)
    1 <= dims <= N || throw_dims(name, N, dims)
    data, steps = locate(name, x)
    d = Int(dims)
    return Rows{N - 1}(data, number, sizeof(T), size(x, d), steps[d], without(size(x), d), without(steps, d))
end
@inline function rows_of(name, x::AbstractArray{T,N}, ::Colon) where {T,N}
    number = dtype(T)
    data, steps = locate(name, x)
    step = fused_stride(size(x), steps)
    step === nothing && throw_colon(name)
    return Rows{0}(data, number, sizeof(T), length(x), step, (), ())
end
@noinline rows_of(name, x::AbstractArray, dims) = throw(ArgumentError("dims = $dims: one dimension, or :"))
@noinline throw_dims(name, n, dims::Integer) = throw(ArgumentError("dims = $dims: $name has $n dimension$(n == 1 ? "" : "s")"))
@noinline throw_dims(name, n, dims) = throw(ArgumentError("dims = $dims: one dimension, or :"))
@noinline throw_colon(name) =
    throw(ArgumentError("dims = :, but the elements of $name do not stand at one distance in memory: give a dimension, or a copy"))

@inline matrix(x::Rows{0}) = Raw.vmx_matrix(x.data, 1, x.cols, x.cols, x.col_stride, x.dtype, 0)
@inline matrix(x::Rows{1}) = Raw.vmx_matrix(x.data, x.sizes[1], x.cols, x.strides[1], x.col_stride, x.dtype, 0)
@noinline matrix(x::Rows) = throw(DimensionMismatch("an array of $(length(x.sizes) + 1) dimensions, where one of at most 2 is wanted"))
@inline matrix_ref(::Nothing) = C_NULL
@inline matrix_ref(x::Rows) = Ref(matrix(x))
@inline empty_matrix() = Raw.vmx_matrix()
@inline matrix_field(::Nothing) = empty_matrix()
@inline matrix_field(x::Rows) = matrix(x)

row_count(x::Rows) = prod(x.sizes)

@inline same_size(name, y, other, x) = size(y) == size(x) ? nothing : throw_size(name, y, other, x)
@noinline throw_size(name, y, other, x) =
    throw(DimensionMismatch("$name has size $(size(y)), $other has size $(size(x))"))

# A view that a call can take whole: rows at one distance.
@inline function one_matrix(name, x::Rows{M}) where {M}
    M <= 1 && return x
    step = fused_stride(x.sizes, x.strides)
    step === nothing && throw(ArgumentError("the rows of $name do not stand at one distance in memory: this function takes no such view"))
    return fuse(x)
end

# -------------------------------------------------------------------------------------------------- a value for each row

struct PerRow{M}
    data::Ptr{Cvoid}
    dtype::Int32
    width::Int
    sizes::NTuple{M,Int}
    strides::NTuple{M,Int}
end

element_number(::Type{UInt32}) = Int32(0) # flags go by a plain pointer
element_number(::Type{T}) where {T} = dtype(T)

@inline per_row(name, ::Nothing, sizes, dims) = nothing
@inline function per_row(name, a::AbstractArray{T,N}, sizes::NTuple{M,Int}, dims) where {T,N,M}
    number = element_number(T)
    data, steps = locate(name, a)
    if N == M && size(a) == sizes
        return PerRow{M}(data, number, sizeof(T), sizes, ntuple(i -> steps[i], Val(M)))
    elseif N == M + 1 && dims isa Integer && size(a, dims) == 1 && without_or(size(a), dims, sizes) == sizes
        return PerRow{M}(data, number, sizeof(T), sizes, without_or(steps, dims, sizes))
    elseif N == 1 && length(a) == prod(sizes)
        return PerRow{M}(data, number, sizeof(T), sizes, consecutive(steps[1], sizes))
    elseif M <= 1 && length(a) == prod(sizes)
        step = fused_stride(size(a), steps)
        step === nothing || return PerRow{M}(data, number, sizeof(T), sizes, ntuple(_ -> step, Val(M)))
    end
    throw_per_row(name, size(a), sizes)
end
@inline per_row(name, a::Base.RefValue{T}, sizes::Tuple{}, dims) where {T} =
    PerRow{0}(Base.unsafe_convert(Ptr{Cvoid}, Base.unsafe_convert(Ptr{T}, a)), element_number(T), sizeof(T), (), ())
# One value for all rows.
@inline per_row(name, a::Base.RefValue{T}, sizes::NTuple{M,Int}, dims) where {T,M} =
    PerRow{M}(Base.unsafe_convert(Ptr{Cvoid}, Base.unsafe_convert(Ptr{T}, a)), element_number(T), sizeof(T), sizes, ntuple(_ -> 0, Val(M)))
@inline without_or(t::NTuple{N,Int}, d, ::NTuple{M,Int}) where {N,M} = N == M + 1 ? ntuple(i -> t[i < d ? i : i + 1], Val(M)) : ntuple(_ -> -1, Val(M))
@inline consecutive(step, sizes::NTuple{M,Int}) where {M} = ntuple(i -> step * prod(ntuple(j -> j < i ? sizes[j] : 1, Val(M))), Val(M))
@noinline throw_per_row(name, found, sizes) =
    throw(DimensionMismatch("$name has size $found: one value for each row is wanted, size $(isempty(sizes) ? (1,) : sizes)"))

@inline vector(x::PerRow{0}) = Raw.vmx_vector(x.data, 1, 1, x.dtype, 0)
@inline vector(x::PerRow{1}) = Raw.vmx_vector(x.data, x.sizes[1], x.strides[1], x.dtype, 0)
@inline vector_ref(::Nothing) = C_NULL
@inline vector_ref(x::PerRow) = Ref(vector(x))
@inline vector_field(::Nothing) = Raw.vmx_vector()
@inline vector_field(x::PerRow) = vector(x)

# What C takes by a plain pointer: neighbours in memory, of the one type that C cannot check.
@inline plain(name, ::Nothing, T) = C_NULL
@inline function plain(name, x::PerRow, T)
    of_type(name, x, T)
    length(x.sizes) == 0 || x.strides[1] == 1 || x.sizes[1] <= 1 || throw_plain(name)
    return x.data
end
@inline of_type(name, x::PerRow, ::Type{T}) where {T} = x.dtype == element_number(T) ? nothing : throw_type(name, T)
@noinline throw_type(name, T) = throw(ArgumentError("the elements of $name must be of type $T"))
@noinline throw_plain(name) = throw(ArgumentError("$name must be contiguous in memory"))

# A vector whose length C checks itself.
@inline plain_vector(name, ::Nothing) = nothing
@inline function plain_vector(name, a::AbstractVector{T}) where {T}
    data, steps = locate(name, a)
    return PerRow{1}(data, dtype(T), sizeof(T), (length(a),), steps)
end

# -------------------------------------------------------------------------------------------------- in one call or several

@inline fuse(::Nothing) = nothing
@inline fuse(x::Rows) = Rows{1}(x.data, x.dtype, x.width, x.cols, x.col_stride, (prod(x.sizes),), (fused_stride(x.sizes, x.strides)::Int,))
@inline fuse(x::PerRow) = PerRow{1}(x.data, x.dtype, x.width, (prod(x.sizes),), (fused_stride(x.sizes, x.strides)::Int,))
@inline fusible(::Nothing) = true
@inline fusible(x) = fused_stride(x.sizes, x.strides) !== nothing

@inline distance(strides, index) = sum(ntuple(i -> strides[i] * (index[i] - 1), Val(length(strides))))
@inline part(::Nothing, index) = nothing
@inline part(x::Rows, index) =
    Rows{1}(x.data + x.width * distance(Base.tail(x.strides), index), x.dtype, x.width, x.cols, x.col_stride, (x.sizes[1],), (x.strides[1],))
@inline part(x::PerRow, index) =
    PerRow{1}(x.data + x.width * distance(Base.tail(x.strides), index), x.dtype, x.width, (x.sizes[1],), (x.strides[1],))

# f(inputs..., outputs..., temperature) for the whole, or for each run of the first row dimension. What C would refuse in a later part
# alone is refused here, before the first is written.
@inline each_part(f, sizes::Union{Tuple{},Tuple{Int}}, inputs, outputs, temperature=nothing) = f(inputs..., outputs..., temperature)
function each_part(f, sizes::NTuple{M,Int}, inputs, outputs, temperature=nothing) where {M}
    views = (inputs..., outputs..., temperature)
    if all(fusible, views)
        f(map(fuse, views)...)
    else
        check_temperatures(temperature)
        for (i, output) in enumerate(outputs), other in (inputs..., temperature, outputs[i+1:end]...)
            meet(output, other) && throw_overlap()
        end
        for index in CartesianIndices(Base.tail(sizes))
            f(map(v -> part(v, index), views)...)
        end
    end
    return nothing
end

check_temperatures(::Nothing) = nothing
function check_temperatures(t::PerRow)
    for index in CartesianIndices(t.sizes)
        value = unsafe_load(Ptr{Float32}(t.data + t.width * distance(t.strides, index)))
        value >= 0 || throw_temperature(value)
    end
end
@noinline throw_temperature(value) = throw(ArgumentError("temperature holds $value, but must be at least 0"))
@noinline throw_overlap() = throw(ArgumentError("an output overlaps another array without being exactly the same view"))

# Whether two arrays share a byte without being exactly the same view. As in C, those that interleave are told apart where they
# repeat at the same distances.
meet(::Nothing, other) = false
meet(output, ::Nothing) = false
meet(::Nothing, ::Nothing) = false
function meet(a, b)
    a === b && return false
    first_a, last_a = byte_range(a)
    first_b, last_b = byte_range(b)
    (last_a < first_b || last_b < first_a) && return false
    steps(a) == steps(b) || return true
    return reaches(first_b - first_a, a.width, b.width, sort(steps(a); by=last, rev=true))
end
# (size, distance in bytes) of the dimensions.
steps(x::Rows) = [(x.cols, abs(x.col_stride) * x.width); steps(x.sizes, x.strides, x.width)]
steps(x::PerRow) = steps(x.sizes, x.strides, x.width)
steps(sizes, strides, width) = Tuple{Int,Int}[(n, abs(s) * width) for (n, s) in zip(sizes, strides)]
# The first and last byte: the elements stand at sums of steps from the first, whatever the signs of the strides.
function byte_range(x)
    low = high = Int(x.data)
    for (n, s) in zip(x isa Rows ? (x.cols, x.sizes...) : x.sizes, x isa Rows ? (x.col_stride, x.strides...) : x.strides)
        span = (n - 1) * s * x.width
        low, high = low + min(span, 0), high + max(span, 0)
    end
    return low, high + x.width - 1
end
# Whether steps, largest first, lead from an element to within the bytes of one that stands this far away.
function reaches(away, width_a, width_b, steps)
    isempty(steps) && return -width_b < away < width_a
    n, s = steps[1]
    rest = steps[2:end]
    s == 0 && return reaches(away, width_a, width_b, rest)
    left = sum(Int[(m - 1) * t for (m, t) in rest]) + max(width_a, width_b)
    return any(k -> reaches(away + k * s, width_a, width_b, rest), max(1 - n, cld(-left - away, s)):min(n - 1, fld(left - away, s)))
end

# -------------------------------------------------------------------------------------------------- temperatures

# One for all rows, or one for each: what holds it in memory during a call.
@inline temperature_memory(::Nothing) = nothing
@inline temperature_memory(t::Real) = Ref(Float32(t))
@inline temperature_memory(t::AbstractArray{Float32}) = t
@noinline temperature_memory(t) = throw(ArgumentError("temperature is a $(typeof(t)): a number, or an array of Float32 with one for each row"))

@inline temperature_pointer(::Nothing) = Ptr{Float32}(C_NULL)
@inline temperature_pointer(t::PerRow) = Ptr{Float32}(t.data)
@inline temperature_stride(::Nothing) = 0
@inline temperature_stride(::PerRow{0}) = 0
@inline temperature_stride(t::PerRow{1}) = t.strides[1]

# -------------------------------------------------------------------------------------------------- ids

const ClassInt = Union{Int32,Int64}

# The classes of Julia count from one.
@inline no_ids() = Raw.vmx_ids()
@inline ids_field(name, ::Nothing; base=1) = no_ids()
@inline function ids_field(name, a::AbstractArray{T}; base=1) where {T<:ClassInt}
    data, steps = locate(name, a)
    step = fused_stride(size(a), steps)
    step === nothing && throw(ArgumentError("the elements of $name do not stand at one distance in memory"))
    return Raw.vmx_ids(data, length(a), step, dtype(T), base)
end
@noinline ids_field(name, a; base=1) = throw(ArgumentError("$name is a $(typeof(a)): an array of Int32 or Int64 is wanted"))
