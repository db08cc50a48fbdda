# SPDX-License-Identifier: Apache-2.0
x, y = randn(Float32, 10, 3), zeros(Float32, 10, 3)

@test occursin("temperature", message_of(() -> softmax(x; temperature=-2), ArgumentError))
@test occursin("NaN", message_of(() -> softmax(x; temperature=NaN), ArgumentError)) || occursin("nan", message_of(() -> softmax(x; temperature=NaN), ArgumentError))
@test occursin("y has size (10, 2)", message_of(() -> softmax!(zeros(Float32, 10, 2), x), DimensionMismatch))
@test occursin("dims = 3", message_of(() -> softmax(x; dims=3), ArgumentError))
@test occursin("dims = 0", message_of(() -> logsumexp(x; dims=0), ArgumentError))
@test occursin("flags", message_of(() -> softmax(x; flags=zeros(UInt32, 2)), DimensionMismatch))
@test occursin("flags", message_of(() -> softmax(x; flags=view(zeros(UInt32, 6), 1:2:6)), ArgumentError))
@test occursin("lse", message_of(() -> softmax(x; lse=zeros(Float32, 4)), DimensionMismatch))
@test occursin("lse", message_of(() -> softmax(x; lse=zeros(Float64, 3)), ArgumentError))
@test occursin("temperature", message_of(() -> softmax(x; temperature=ones(Float32, 2)), DimensionMismatch))
@test occursin("temperature", message_of(() -> softmax(x; temperature=ones(Float64, 3)), ArgumentError))
@test_throws DimensionMismatch ∇softmax_data(x[:, 1:2], y)
@test_throws DimensionMismatch ∇softmax_data!(x[:, 1:2], x, y)
@test_throws ArgumentError ∇softmax_data(Float64.(x), y)
@test_throws DimensionMismatch ∇logsumexp([1.0, 2.0], x; dims=1)
@test_throws ArgumentError ∇logsumexp(Float16[1, 2, 3], x; dims=1)

# Overlap that is not exact is refused, and nothing written.
memory = collect(Float32, 1:40)
@test occursin("overlap", message_of(() -> softmax!(view(memory, 2:31), view(memory, 1:30)), ArgumentError))
@test memory == 1:40
@test_throws ArgumentError softmax!(view(memory, fill(1, 3)), ones(Float32, 3))

# Outputs stay as they are after an error.
fill!(y, 8)
@test_throws ArgumentError softmax!(y, x; temperature=-1)
@test all(==(8), y)

# What C takes by a plain pointer must have its type: smaller elements would be written past their end.
for T in (Float16, BFloat16, Int32, Float64)
    flags = fill(T(7), 3)
    @test occursin("UInt32", message_of(() -> softmax(x; flags=flags), ArgumentError))
    @test all(==(7), flags)
end
uniform = Sampler(:uniform; classes=9)
@test occursin("Int64", message_of(() -> draw(uniform, 2; tries=zeros(Int32, 1)), ArgumentError))
@test occursin("Int64", message_of(() -> logq(uniform, [1, 2]; draws=3, tries=Int32[3, 3]), ArgumentError))

for f in (softmax, logsumexp, logsoftmax), dims in ((1, 2), (1,), nothing)
    @test occursin("dims = $dims", message_of(() -> f(x; dims=dims), ArgumentError))
end

# Arrays whose indices do not begin at 1.
@test occursin("begin at 1", message_of(() -> topk(view(x, Base.IdentityUnitRange(2:5), 1), 1), ArgumentError))
struct Shifted{T} <: AbstractVector{T}
    parent::Vector{T}
end
Base.size(a::Shifted) = size(a.parent)
Base.axes(a::Shifted) = (Base.IdentityUnitRange(0:length(a.parent)-1),)
Base.strides(a::Shifted) = strides(a.parent)
Base.unsafe_convert(::Type{Ptr{T}}, a::Shifted{T}) where {T} = Base.unsafe_convert(Ptr{T}, a.parent)
@test occursin("begin at 1", message_of(() -> logsumexp(Shifted(x[:, 1])), ArgumentError))

@test_throws DimensionMismatch linear_crossentropy!(nothing, ones(Float32, 2, 3), ones(Float32, 2, 5), [1, 2, 3]; grad_hidden=zeros(Float32, 2, 3, 1))

# The same where a call of Julia is several of C: nothing is written by the first if a later one is refused.
@testset "in parts" begin
    whole = randn(Float32, 4, 6, 4)
    before = copy(whole)
    left, right, later = view(whole, :, 1:2, 1:3), view(whole, :, 4:5, 1:3), view(whole, :, 1:2, 2:4)
    for (y, x) in ((later, left), (left, later), (left, view(whole, :, 2:3, 1:3)), (view(whole, :, 2:-1:1, 1:3), left))
        @test occursin("overlap", message_of(() -> softmax!(y, x), ArgumentError))
    end
    @test occursin("overlap", message_of(() -> softmax!(right, left; lse=view(whole, 1, 1:2, 1:3)), ArgumentError))
    t = ones(Float32, 1, 2, 3)
    t[1, 2, 3] = -1
    @test occursin("temperature", message_of(() -> softmax!(right, left; temperature=t), ArgumentError))
    t[1, 2, 3] = NaN
    @test occursin("temperature", message_of(() -> softmax!(right, left; temperature=t), ArgumentError))
    @test whole == before
    # Interleaved without a common element, and in place.
    expected = softmax(collect(left))
    @test softmax!(right, left) == expected
    @test softmax!(view(whole, :, 6:-1:5, 1:3), left)[:, :, :] == expected
    @test softmax!(left) == expected
    # Classes in the last dimension, where the runs of rows interleave.
    whole = copy(before)
    @test softmax!(view(whole, :, 4:5, 1:3), view(whole, :, 1:2, 1:3); dims=3) == softmax(before[:, 1:2, 1:3]; dims=3)
end

problem = VastmaxError(Raw.VMX_ERR_UNSUPPORTED, "what was asked for")
@test problem isa Exception
@test sprint(showerror, problem) == "VastmaxError: what was asked for ($(Vastmax.status_string(9)))"
@test Vastmax.status_string(12345) == "unknown status"
@test occursin("temperature", (try softmax(x; temperature=-1) catch end; Vastmax.last_error()))

# Every status has an exception, and none is silent.
for status in Raw.VMX_ERR_NULL:Raw.VMX_ERR_INTERNAL
    thrown = try Vastmax.check(status) catch e e end
    expected = status == Raw.VMX_ERR_SHAPE ? DimensionMismatch :
               status in (Raw.VMX_ERR_STRUCT, Raw.VMX_ERR_UNSUPPORTED, Raw.VMX_ERR_MEMORY, Raw.VMX_ERR_CALLBACK, Raw.VMX_ERR_INTERNAL) ? VastmaxError :
               ArgumentError
    @test typeof(thrown) === expected
end
@test Vastmax.check(Raw.VMX_OK) === nothing
