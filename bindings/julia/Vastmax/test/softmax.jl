# SPDX-License-Identifier: Apache-2.0
for T in (Float32, Float64, Float16, BFloat16)
    R = Vastmax.result_type(T)
    x = T.(randn(Float32, 70, 5) .* 3)
    tolerance = T === Float64 ? 1e-14 : 1e-5
    rounding = max(Float64(eps(T)), tolerance)

    lse = logsumexp(x; dims=1)
    @test size(lse) == (1, 5) && eltype(lse) === R
    @test all(abs.(vec(lse) .- [big_logsumexp(c) for c in eachcol(x)]) .<= 4tolerance)
    @test logsumexp(x) isa R
    @test abs(logsumexp(x) - big_logsumexp(vec(x))) <= 4tolerance

    y = softmax(x)
    @test y isa Matrix{T} && size(y) == size(x)
    @test all(abs.(Float64.(y) .- slow_softmax(x)) .<= rounding)
    y2 = softmax(x; dims=2)
    @test all(abs.(Float64.(y2) .- slow_softmax(x; dims=2)) .<= rounding)
    z = logsoftmax(x)
    @test z isa Matrix{T}
    @test all(abs.(Float64.(z) .- log.(slow_softmax(x))) .<= 16rounding)

    # In place, and with the log-sum-exp and flags beside.
    flags, beside = fill(UInt32(7), 5), zeros(R, 5)
    @test softmax!(copy(x); lse=beside, flags=flags) == y
    @test same_bits(beside, vec(lse)) && iszero(flags)

    # Gradients, against their formulas.
    d = T.(randn(Float32, 70, 5))
    p, D = Float64.(y), Float64.(d)
    @test all(abs.(Float64.(∇softmax_data(d, y)) .- p .* (D .- sum(p .* D; dims=1))) .<= 4rounding)
    e = exp.(Float64.(z))
    @test all(abs.(Float64.(∇logsoftmax_data(d, z)) .- (D .- e .* sum(D; dims=1))) .<= 64rounding)
    g = R.(randn(Float32, 5))
    @test all(abs.(Float64.(∇logsumexp(g, x; dims=1)) .- Float64.(g') .* slow_softmax(x)) .<= 4rounding)
    @test same_bits(∇logsumexp(g, x; dims=1), ∇logsumexp(reshape(g, 1, 5), x; dims=1))
    @test all(abs.(Float64.(∇logsumexp(g, x; dims=1, lse=lse)) .- Float64.(g') .* slow_softmax(x)) .<= 4rounding)
    @test all(abs.(Float64.(∇logsumexp(2, x)) .- 2 .* reshape(slow_softmax(vec(x)), size(x))) .<= 4rounding)
end

@testset "temperature" begin
    x = randn(Float32, 40, 3)
    t = Float32[0.5, 1, 4]
    @test logsumexp(x; dims=1, temperature=t) ≈ logsumexp(x ./ t'; dims=1)
    @test softmax(x; temperature=2) ≈ softmax(x ./ 2)
    @test same_bits(softmax(x; temperature=2), softmax(x; temperature=fill(2.0f0, 3)))
    @test logsumexp(x; temperature=Inf) ≈ log(120)
    @test ∇logsumexp(1, x; dims=1, temperature=t) ≈ softmax(x ./ t') ./ t'
end

@testset "edges" begin
    x = Float32[1 NaN 1 -Inf; 2 0 Inf -Inf]
    flags = zeros(UInt32, 4)
    @test isequal(vec(logsumexp(x; dims=1, flags=flags)), Float32[logsumexp(Float32[1, 2]), NaN, Inf, -Inf])
    @test flags == [0, ROW_NAN, ROW_INF, ROW_EMPTY]
    y = softmax(x)
    @test all(isnan, y[:, 2:4]) && sum(y[:, 1]) ≈ 1
    @test iszero(softmax(x; zero_masked=true)[:, 4])
    @test all(==(-Inf), logsoftmax(x; zero_masked=true)[:, 4])
    @test softmax([0.0, -Inf]) == [1.0, 0.0]
    @test logsumexp(Float32[]) === -Inf32
    @test logsumexp(zeros(Float32, 5, 0); dims=1) == zeros(Float32, 1, 0)
    @test logsumexp(zeros(Float32, 0, 2); dims=1) == fill(-Inf32, 1, 2)
    @test softmax(zeros(Float32, 3, 0)) == zeros(Float32, 3, 0)
end
