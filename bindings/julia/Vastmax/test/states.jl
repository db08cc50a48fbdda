# SPDX-License-Identifier: Apache-2.0
empty_states(n) = [LseState() for _ in 1:n]

x = randn(Float32, 3 * Vastmax.BLOCK + 100, 3) .* 5
x[100, 1] = -Inf
whole = fold!(empty_states(3), x; entropy=true)
@test same_bits(finish(whole, Float32), vec(logsumexp(x; dims=1)))

@testset "shards in any order" begin
    cuts = [0, Vastmax.BLOCK, 3 * Vastmax.BLOCK, size(x, 1)]
    parts = [fold!(empty_states(3), view(x, cuts[i]+1:cuts[i+1], :); offset=cuts[i], entropy=true) for i in 1:3]
    for order in ([1, 2, 3], [3, 1, 2], [2, 3, 1])
        states = empty_states(3)
        foreach(i -> merge!(states, parts[i]), order)
        @test reinterpret(UInt8, states) == reinterpret(UInt8, whole)
    end
    # Plain bytes, as through a file.
    io = IOBuffer()
    write(io, whole)
    @test io.size == 3 * 96
    seekstart(io)
    @test read!(io, empty_states(3)) == whole
end

@testset "entropy" begin
    entropy, lse, flags = zeros(3), zeros(3), zeros(UInt32, 3)
    finish!(lse, whole; entropy=entropy, flags=flags)
    for r in 1:3
        p = exp.(Float64.(x[:, r]) .- big_logsumexp(x[:, r]))
        @test entropy[r] ≈ -sum(q * log(q) for q in p if q > 0) rtol = 1e-5
    end
    @test iszero(flags)
    @test occursin("ENTROPY", message_of(() -> finish!(lse, fold!(empty_states(3), x); entropy=entropy), ArgumentError))
end

@testset "skip and weights" begin
    labels = [5, 4097, 12000]
    without = copy(x)
    foreach(r -> without[labels[r], r] = -Inf, 1:3)
    skipped = fold!(empty_states(3), x; skip=labels)
    @test same_bits(finish(skipped), finish(fold!(empty_states(3), without)))
    weighted = fold!(empty_states(3), x; sums=true, class_weight=ones(Float32, size(x, 1)))
    @test same_bits(finish(weighted), finish(whole))
end

@testset "short" begin
    short = shorten(whole)
    @test finish(short) ≈ finish(whole)
    @test sizeof(LseShort) == 16
    merged = merge!([LseShort(-Inf, 0) for _ in 1:3], short)
    @test finish(merged) == finish(short)
    @test finish(merge!(merged, short)) ≈ finish(whole) .+ log(2)
end

@testset "temperature" begin
    states = fold!(empty_states(3), x; temperature=0.25)
    @test same_bits(finish(states, Float32; temperature=0.25), vec(logsumexp(x; dims=1, temperature=0.25)))
end

@testset "bad input" begin
    @test occursin("states has length 2", message_of(() -> fold!(empty_states(2), x), DimensionMismatch))
    @test occursin("from has length 1", message_of(() -> merge!(empty_states(3), empty_states(1)), DimensionMismatch))
    @test occursin("-5", message_of(() -> fold!(empty_states(3), x; offset=-5), Union{ArgumentError,DimensionMismatch}))
    @test_throws ArgumentError fold!(copy(whole), x) # kept the entropy so far
    @test_throws ArgumentError merge!(copy(whole), fold!(empty_states(3), x))
    @test_throws DimensionMismatch finish!(zeros(2), whole)
    @test_throws ArgumentError fold!(view(empty_states(6), 1:2:6), x)
end
