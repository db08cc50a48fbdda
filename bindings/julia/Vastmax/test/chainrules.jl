# SPDX-License-Identifier: Apache-2.0
# The rules, with a stub in the place of ChainRulesCore. They are read when it is, and not before.
isdefined(Base, :get_extension) || @test !isdefined(Vastmax, :ChainRules)
push!(LOAD_PATH, joinpath(@__DIR__, "stubs"))
import ChainRulesCore
isdefined(Base, :get_extension) || @test isdefined(Vastmax, :ChainRules)

const rrule, NoTangent, ZeroTangent, Thunk = ChainRulesCore.rrule, ChainRulesCore.NoTangent, ChainRulesCore.ZeroTangent, ChainRulesCore.Thunk

# y and the tangents of the positional arguments, by differences of <cotangent, f>.
function check_rule(f, arguments, cotangent, differentiable; rtol=1e-5, h=1e-5, options...)
    y, pullback = rrule(f, arguments...; options...)
    @test isequal(y, f(arguments...; options...))
    tangents = pullback(cotangent)
    @test length(tangents) == length(arguments) + 1 && tangents[1] isa NoTangent
    for (i, argument) in enumerate(arguments)
        if i in differentiable
            value(a) = sum(Float64.(cotangent) .* Float64.(f(arguments[1:i-1]..., a, arguments[i+1:end]...; options...)))
            @test tangents[i+1] ≈ differences(value, argument; h=eltype(argument)(h)) rtol = rtol
            @test size(tangents[i+1]) == size(argument)
        else
            @test tangents[i+1] isa NoTangent
        end
    end
    # The same through a thunk; nothing from nothing.
    @test isequal(pullback(Thunk(() -> cotangent)), tangents)
    @test all(t -> t isa Union{NoTangent,ZeroTangent}, pullback(ZeroTangent()))
end

x = randn(12, 3)
labels = [2, 12, 5]
@testset "scores" begin
    check_rule(logsumexp, (x,), 0.7, 1)
    check_rule(logsumexp, (x,), randn(1, 3), 1; dims=1, temperature=2)
    check_rule(logsumexp, (x,), randn(12, 1), 1; dims=2)
    check_rule(softmax, (x,), randn(12, 3), 1)
    check_rule(softmax, (x,), randn(12, 3), 1; dims=2, temperature=0.5)
    check_rule(logsoftmax, (x,), randn(12, 3), 1)
    check_rule(logsoftmax, (x,), randn(12, 3), 1; precise=true)
    for reduction in (:mean, :sum)
        check_rule(crossentropy, (x, labels), 0.3, 1; reduction=reduction, label_smoothing=0.1, z_loss=0.01)
    end
    check_rule(crossentropy, (x, labels), randn(3), 1; reduction=:none)
    check_rule(crossentropy, (x, Targets([[1, 2], [3], [4]])), 1.0, 1)
    @test_throws ArgumentError rrule(crossentropy, x, labels; reduction=:none, z_loss=0.1)
    # Cotangents of other types.
    _, pullback = rrule(softmax, Float32.(x))
    @test pullback(ones(12, 3))[2] isa Matrix{Float32}
    _, pullback = rrule(logsumexp, Float16.(x); dims=1)
    @test pullback(ones(Float16, 1, 3))[2] isa Matrix{Float16}
end

@testset "linear" begin
    hidden, weights, bias = randn(Float32, 6, 3), randn(Float32, 6, 20), randn(Float32, 20)
    loose = (rtol=2e-2, h=1e-2)
    for cotangent in (1.0, 0.3)
        check_rule(linear_crossentropy, (hidden, weights, labels), cotangent, 1:2; loose...)
        check_rule(linear_crossentropy, (hidden, weights, labels), cotangent, 1:2; reduction=:sum, z_loss=0.01, loose...)
    end
    linear = Linear(weights; bias=bias)
    y, pullback = rrule(linear_crossentropy, hidden, linear, labels)
    _, dhidden, dlinear, _ = pullback(2.0)
    @test dlinear.weights ≈ differences(w -> 2linear_crossentropy(hidden, Linear(w; bias=bias), labels), weights) rtol = 2e-2
    @test dlinear.bias ≈ differences(b -> 2linear_crossentropy(hidden, Linear(weights; bias=b), labels), bias) rtol = 2e-2
    @test rrule(linear_crossentropy, hidden, PackedWeights(weights), labels)[2](1.0)[3] isa NoTangent
    @test_throws ArgumentError rrule(linear_crossentropy, hidden, weights, labels; reduction=:none)

    sampler = Sampler(:uniform; classes=20)
    ids, log_q = draw(sampler, 5; rows=3, seed=4)
    for (drawn, arguments, options) in ((draw, (sampler, 5), (rows=3, seed=4)), (logq, (sampler, labels), ()))
        y, pullback = rrule(drawn, arguments...; options...)
        @test isequal(y, drawn(arguments...; options...)) && pullback(1.0) === (NoTangent(), NoTangent(), NoTangent())
    end
    candidates = Candidates(ids, log_q; target_log_q=logq(sampler, labels))
    for cotangent in (1.0, 0.3)
        check_rule(sampled_loss, (hidden, weights, labels, candidates), cotangent, 1:2; loose..., correction=:is)
        check_rule(in_batch_softmax, (hidden, weights[:, 1:3]), cotangent, 1:2; loose..., temperature=0.5)
    end
    @test_throws ArgumentError rrule(sampled_loss, hidden, weights, labels, candidates; reduction=:none)
    @test_throws ArgumentError rrule(in_batch_softmax, hidden, weights[:, 1:3]; reduction=:none)
end
