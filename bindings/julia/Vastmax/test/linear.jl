# SPDX-License-Identifier: Apache-2.0
hidden, weights, bias = randn(Float32, 12, 5), randn(Float32, 12, 300), randn(Float32, 300)
dense = Float64.(weights)' * Float64.(hidden) .+ Float64.(bias)
linear = Linear(weights; bias=bias)
labels = [1, 300, 17, 17, 256]

@test !isempty(Vastmax.onednn_version())
@test linear_logsumexp(hidden, linear) ≈ vec(logsumexp(dense; dims=1))
@test linear_logsumexp(hidden[:, 2], linear)[1] ≈ logsumexp(dense[:, 2])
@test linear_logsumexp(hidden, linear; temperature=2) ≈ vec(logsumexp(dense; dims=1, temperature=2))
@test linear_topk(hidden, linear, 10).ids == topk(dense, 10).ids
@test linear_topk(hidden, linear, 10).values ≈ topk(dense, 10).values
@test linear_topk(hidden[:, 1], linear, 3).ids == topk(dense[:, 1], 3).ids
@test linear_topk(hidden, linear, 4; excluded=labels, offset=7, largest=false).ids == topk(dense, 4; excluded=labels, offset=7, largest=false).ids
@test linear_crossentropy(hidden, linear, labels) ≈ crossentropy(dense, labels) rtol = 1e-6
@test linear_crossentropy(hidden, linear, labels; reduction=:none) ≈ crossentropy(dense, labels; reduction=:none)
@test linear_crossentropy(hidden, weights, labels) ≈ crossentropy(dense .- bias, labels) rtol = 1e-6

@testset "weights of any strides, packed, bf16" begin
    rows = permutedims(weights)
    @test linear_logsumexp(hidden, Linear(transpose(rows); bias=bias)) == linear_logsumexp(hidden, linear)
    packed = PackedWeights(weights)
    @test nbytes(packed) >= sizeof(weights)
    @test linear_topk(hidden, Linear(packed; bias=bias), 10).ids == linear_topk(hidden, linear, 10).ids
    @test linear_logsumexp(hidden, packed) ≈ vec(logsumexp(dense .- bias; dims=1))
    close(packed)
    @test occursin("closed", message_of(() -> linear_logsumexp(hidden, packed), ArgumentError))
    h, w = BFloat16.(hidden), BFloat16.(weights)
    @test linear_logsumexp(h, Linear(w; bias=bias)) ≈ vec(logsumexp(Float64.(w)' * Float64.(h) .+ bias; dims=1)) rtol = 1e-5
end

@testset "gradients" begin
    grads = (grad_hidden=similar(hidden), grad_weights=similar(weights), grad_bias=similar(bias))
    for options in ((reduction=:mean,), (reduction=:sum, label_smoothing=0.1, z_loss=0.01))
        result = linear_crossentropy!(nothing, hidden, linear, labels; grads..., options...)
        scores = similar(dense)
        @test result.total ≈ crossentropy!(nothing, dense, labels; grad=scores, options...).total
        @test grads.grad_hidden ≈ weights * scores rtol = 1e-4
        @test grads.grad_weights ≈ hidden * scores' rtol = 1e-4
        @test grads.grad_bias ≈ vec(sum(scores; dims=2)) rtol = 1e-4
    end
    twice = map(copy, grads)
    linear_crossentropy!(nothing, hidden, linear, labels; twice..., accumulate=true, reduction=:sum, label_smoothing=0.1, z_loss=0.01)
    @test twice.grad_weights ≈ 2 .* grads.grad_weights && twice.grad_bias ≈ 2 .* grads.grad_bias
    @test same_bits(twice.grad_hidden, grads.grad_hidden)
end

@testset "bad input" begin
    @test_throws DimensionMismatch linear_logsumexp(hidden[1:11, :], linear)
    @test_throws DimensionMismatch linear_logsumexp(hidden, Linear(weights; bias=bias[1:299]))
    @test_throws ArgumentError linear_logsumexp(Float64.(hidden), Linear(Float64.(weights)))
    @test occursin("memory_limit", message_of(() -> linear_logsumexp(hidden, Linear(weights; memory_limit=1)), ArgumentError))
    @test occursin("memory_limit", message_of(() -> linear_logsumexp(hidden, Linear(weights; memory_limit=-1)), ArgumentError))
    @test_throws DimensionMismatch linear_topk(hidden, linear, 301)
    @test occursin("301", message_of(() -> linear_crossentropy(hidden, linear, [1, 2, 3, 4, 301]), ArgumentError))
end
