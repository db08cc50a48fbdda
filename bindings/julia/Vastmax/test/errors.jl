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
