# SPDX-License-Identifier: Apache-2.0
embeddings, hidden = randn(Float32, 8, 60), randn(Float32, 8, 4)
weights = rand(60)

samplers = Dict(:uniform => (classes=60,), :log_uniform => (classes=60,), :weights => (weights=weights, power=0.75), :midx => (embeddings=embeddings,),
                :quadratic => (embeddings=embeddings,), :exact => (embeddings=embeddings, temperature=2))
expected_q = Dict(:uniform => c -> 1 / 60, :log_uniform => c -> log((c + 1) / c) / log(61), :weights => c -> weights[c]^0.75 / sum(weights .^ 0.75))

@testset "$kind" for (kind, options) in samplers
    sampler = Sampler(kind; options...)
    @test sampler.classes == 60 && isopen(sampler)
    @test nbytes(sampler) >= 0
    given = haskey(options, :embeddings) ? (hidden=hidden,) : NamedTuple()
    lists = haskey(options, :embeddings) ? (25, 4) : (25,)
    ids, log_q = draw(sampler, 25; seed=5, step=9, given...)
    @test size(ids) == size(log_q) == lists && eltype(log_q) === Float32
    @test all(1 .<= ids .<= 60)
    @test parent(ids) == ids .- 1
    @test draw(sampler, 25; seed=5, step=9, given...).ids == ids
    @test draw(sampler, 25; seed=5, step=10, given...).ids != ids
    @test draw(sampler, 25; seed=5, step=9, index=Int32, given...).ids isa ClassIds{Int32}
    # log q of the classes drawn is what logq tells of them.
    classes = Targets([collect(c) for c in eachcol(reshape(collect(ids), 25, :))])
    @test logq(sampler, classes; given...) ≈ vec(log_q) rtol = 1e-4
    # It is a distribution.
    everything = Targets([collect(1:60) for _ in 1:size(hidden, 2)])
    q = reshape(exp.(logq!(zeros(240), sampler, everything; given...)), 60, 4)
    @test all(≈(1; rtol=1e-4), sum(q; dims=1))
    haskey(expected_q, kind) && @test q[:, 1] ≈ expected_q[kind].(1:60) rtol = 1e-4

    tries, flags = zeros(Int64, prod(lists) ÷ 25), zeros(UInt32, prod(lists) ÷ 25)
    alone = draw(sampler, 25; unique=true, seed=1, tries=tries, flags=flags, given...).ids
    @test all(allunique, eachcol(reshape(collect(alone), 25, :))) && iszero(flags) && all(>=(25), tries)
    @test draw_workspace_size(sampler, ids; given...) >= 0
    close(sampler)
    @test !isopen(sampler)
    @test occursin("closed", message_of(() -> draw(sampler, 1; given...), ArgumentError))
end

@testset "rows without hidden, counts" begin
    sampler = Sampler(:uniform; classes=10)
    ids, log_q = draw(sampler, 6; rows=3, counts=true)
    @test size(ids) == (6, 3)
    @test all(≈(log(6 / 10)), log_q)
    @test logq(sampler, [1, 2]; draws=6) ≈ fill(log(6 / 10), 2)
    @test logq(sampler, [1, 2]; draws=6, tries=8) ≈ fill(log(-expm1(8 * log1p(-1 / 10))), 2)
    @test logq(sampler, [1, 2]; draws=6, tries=[8, 9])[2] ≈ log(-expm1(9 * log1p(-1 / 10)))
end

@testset "draws follow q" begin
    sampler = Sampler(:weights; weights=[1.0, 0.0, 3.0])
    ids, _ = draw(sampler, 20_000; seed=3)
    @test count(==(2), ids) == 0
    @test abs(count(==(3), ids) / 20_000 - 0.75) < 0.02
end

@testset "update, observe" begin
    sampler = Sampler(:exact; embeddings=embeddings)
    other = randn(Float32, 8, 60)
    update!(sampler, other)
    @test draw(sampler, 9; hidden=hidden, seed=2).ids == draw(Sampler(:exact; embeddings=other), 9; hidden=hidden, seed=2).ids
    tree = Sampler(:quadratic; embeddings=embeddings)
    changed = copy(embeddings)
    changed[:, 7] .= 1
    update!(tree, changed; ids=[7])
    @test logq(tree, [7, 7, 7, 7]; hidden=hidden) ≈ logq(Sampler(:quadratic; embeddings=changed), [7, 7, 7, 7]; hidden=hidden) rtol = 1e-4
    @test_throws VastmaxError update!(Sampler(:uniform; classes=60), embeddings)
    batches = Sampler(:in_batch; classes=4)
    observe!(batches, [1, 2, 1], 0)
    @test_throws ArgumentError observe!(batches, [5], 1)
    observe!(batches, Int32[3], 1)
    @test_throws ArgumentError observe!(batches, [1], 0)
    @test_throws VastmaxError draw(batches, 2)
end

@testset "ClassIds" begin
    ids = ClassIds(Int32[4, 2])
    @test ids == [4, 2] && parent(ids) == Int32[3, 1] && ids isa AbstractVector{Int32}
    ids[1] = 9
    @test parent(ids)[1] == 8
    @test view(ids, 1:1) == [9] && view(ids, 1:1) isa ClassIds
    @test ClassIds(zero_based=[0 -1]) == [1 0]
    @test size(ClassIds(undef, 2, 3)) == (2, 3)
    @test_throws BoundsError ids[3]
end

@testset "bad input" begin
    @test occursin(":normal", message_of(() -> Sampler(:normal; classes=3), ArgumentError))
    @test occursin("classes", message_of(() -> Sampler(:uniform), ArgumentError))
    @test occursin("weights", message_of(() -> Sampler(:weights; weights=[1.0, -1.0]), ArgumentError))
    @test occursin("power", message_of(() -> Sampler(:uniform; classes=3, power=2), ArgumentError))
    @test_throws DimensionMismatch Sampler(:weights; weights=[1.0], classes=2)
    sampler = Sampler(:uniform; classes=3)
    @test_throws ArgumentError draw(sampler, 4; unique=true)
    @test_throws ArgumentError draw(sampler, 1; seed=-1)
    @test_throws ArgumentError draw(sampler, 1; step=-1)
    @test_throws ArgumentError draw(sampler, 1; hidden=hidden, rows=2)
    @test_throws DimensionMismatch draw(sampler, 1; tries=zeros(Int64, 2))
    @test_throws DimensionMismatch draw!(ClassIds(undef, 3), zeros(Float32, 2), sampler)
    @test occursin("4", message_of(() -> logq(sampler, [4]), ArgumentError))
    @test_throws DimensionMismatch logq!(zeros(Float32, 2), sampler, [1])
end
