# SPDX-License-Identifier: Apache-2.0
slow_order(v) = sortperm(v; rev=true, alg=MergeSort) # stable: ties by the lower class

@testset "$T" for T in (Float32, Float64, Float16, BFloat16)
    x = T.(rand(-9:9, 200, 4))
    for k in (1, 7, 200)
        result = topk(x, k)
        expected = hcat((slow_order(Float64.(x[:, r]))[1:k] for r in 1:4)...)
        @test result.ids == expected
        @test result.values isa Matrix{T} && result.ids isa Matrix{Int}
        @test all(result.values[:, r] == x[expected[:, r], r] for r in 1:4)
    end
end

x = Float32[3 1; 9 4; 3 8; -Inf 2; 0 5]
@test topk(x, 2; largest=false).ids == [4 1; 5 4]
@test topk(x, 3; sorted=false).ids == [1 2; 2 3; 3 5]
@test topk(x, 2; offset=1000).ids == [1002 1003; 1001 1005]
@test topk(x, 2; index=Int32).ids isa Matrix{Int32}
@test topk(x, 1; dims=2).ids == reshape([1, 1, 2, 2, 2], 5, 1)

@testset "excluded" begin
    @test topk(x, 2; excluded=Targets([[2], [3, 5]])).ids == [1 2; 3 4]
    @test topk(x, 2; excluded=[2, 3]).ids == [1 5; 3 2]
    @test topk(x, 2; offset=10, excluded=[12, 13]).ids == [11 15; 13 12]
    # Class 0 is an error, as anywhere.
    for none in ([0, 1], Targets([[1], [2, 0]]))
        @test occursin("from 1", message_of(() -> topk(x, 2; excluded=none), ArgumentError))
        @test occursin("from 1", message_of(() -> linear_topk(ones(Float32, 2, 2), ones(Float32, 2, 5), 2; excluded=none), ArgumentError))
    end
    flags = zeros(UInt32, 2)
    few = topk(x, 4; excluded=Targets([[1, 2], Int[]]), flags=flags)
    @test few.ids[:, 1] == [5, 3, 4, -1] || few.ids[:, 1] == [3, 5, 4, -1]
    @test few.values[4, 1] == -Inf && flags[1] & ROW_UNDERFULL != 0 && flags[2] == 0
end

@testset "merge" begin
    y = Float32.(rand(-50:50, 300, 3))
    parts = [topk(y[1:100, :], 20), topk(y[101:300, :], 20; offset=100)]
    merged = topk_merge(vcat((p.values for p in parts)...), vcat((p.ids for p in parts)...), 20)
    @test merged == topk(y, 20)
    into = topk_merge!(nothing, zeros(Int32, 20, 3), vcat((p.values for p in parts)...), Int32.(vcat((p.ids for p in parts)...)))
    @test into.values === nothing && into.ids == merged.ids
end

@testset "NaN" begin
    flags = zeros(UInt32, 1)
    @test topk(Float32[NaN, 1, -Inf], 3; flags=flags).ids == [2, 3, 1]
    @test flags == [ROW_NAN]
end

@testset "bad input" begin
    @test occursin("k = 0", message_of(() -> topk(x, 0), ArgumentError))
    @test occursin("k = 6", message_of(() -> topk(x, 6), DimensionMismatch))
    @test occursin("dims = 3", message_of(() -> topk(x, 1; dims=3), ArgumentError))
    @test_throws ArgumentError topk!(nothing, nothing, x)
    @test_throws DimensionMismatch topk!(zeros(Float32, 2, 3), nothing, x)
    @test_throws DimensionMismatch topk!(zeros(Float32, 2, 2), zeros(Int, 3, 2), x)
    @test occursin("values", message_of(() -> topk!(zeros(Float64, 2, 2), nothing, x), ArgumentError))
    @test_throws ArgumentError topk(x, 1; offset=-1)
    @test_throws DimensionMismatch topk_merge(x, ones(Int, 2, 2), 1)
end
