# SPDX-License-Identifier: Apache-2.0
x = randn(Float64, 30, 6)
labels = [3, 30, 1, 7, 7, 12]
slow_losses(x, labels) = [big_logsumexp(x[:, r]) - x[labels[r], r] for r in axes(x, 2)]

@testset "$T" for T in (Float32, Float64, Float16, BFloat16)
    y = T.(x)
    expected = slow_losses(Float64.(y), labels)
    tolerance = T === Float64 ? 1e-14 : 1e-5
    @test crossentropy(y, labels; reduction=:none) isa Vector{Vastmax.result_type(T)}
    @test crossentropy(y, labels; reduction=:none) ≈ expected rtol = tolerance
    @test crossentropy(y, labels; reduction=:sum) ≈ sum(expected) rtol = tolerance
    @test crossentropy(y, labels) ≈ sum(expected) / 6 rtol = tolerance
    @test crossentropy(y, Int32.(labels)) === crossentropy(y, labels)
    @test crossentropy(permutedims(y), labels; dims=2) === crossentropy(y, labels)
    @test crossentropy(reshape(y, 30, 3, 2), reshape(labels, 3, 2)) === crossentropy(y, labels)
end

@testset "gradients" begin
    for options in ((), (label_smoothing=0.1,), (z_loss=0.01,), (softcap=3.0,), (temperature=2.0,), (class_weight=rand(Float32, 30),))
        grad = similar(x)
        result = crossentropy!(nothing, x, labels; grad=grad, options...)
        @test result.total === crossentropy(x, labels; options...)
        @test grad ≈ differences(z -> crossentropy(z, labels; options...), x; h=1e-5) rtol = 1e-6
        # The backward pass alone, by a mean's weight and by rows.
        @test ∇crossentropy(1 / result.weight, x, labels; options...) ≈ grad rtol = 1e-12
        d = rand(6)
        @test ∇crossentropy(d, x, labels; options...) ≈ result.weight .* grad .* d' rtol = 1e-12
        @test crossentropy!(nothing, copy(x), labels; grad=x .* 1, options...).total === result.total
    end
    in_place = copy(x)
    crossentropy!(nothing, in_place, labels; grad=in_place)
    @test same_bits(in_place, (g = similar(x); crossentropy!(nothing, x, labels; grad=g); g))
    scaled = similar(x)
    crossentropy!(nothing, x, labels; grad=scaled, grad_scale=3)
    @test scaled ≈ 3 .* in_place
end

@testset "outputs" begin
    loss, z_losses, lse, flags = zeros(6), zeros(6), zeros(1, 6), zeros(UInt32, 6)
    result = crossentropy!(loss, x, labels; z_losses=z_losses, lse=lse, flags=flags, z_loss=0.5, reduction=:sum)
    @test lse ≈ logsumexp(x; dims=1) rtol = 1e-15
    @test z_losses ≈ 0.5 .* vec(lse) .^ 2
    @test result.total ≈ sum(loss) + sum(z_losses) && result.z_loss ≈ sum(z_losses) && result.weight == 6
end

@testset "ignored, lists" begin
    some = [3, -100, 1, -100, 7, 12]
    @test crossentropy(x, some; reduction=:sum) ≈ sum(slow_losses(x, labels)[[1, 3, 5, 6]])
    @test crossentropy(x, some) ≈ sum(slow_losses(x, labels)[[1, 3, 5, 6]]) / 4
    @test crossentropy(x, replace(some, -100 => 0); ignore_index=0) === crossentropy(x, some)
    @test isnan(crossentropy(x, fill(-100, 6)))

    lists = [[1, 2], Int[], [30], [4, 4], [5], [6]]
    targets = Targets(lists; weights=Float32[1, 2, 3, 1, 1, 1, 0.5])
    losses = crossentropy(x, targets; reduction=:none)
    lse = vec(logsumexp(x; dims=1))
    @test losses ≈ [(lse[1] - x[1, 1]) + 2(lse[1] - x[2, 1]), 0, 3(lse[3] - x[30, 3]), 2(lse[4] - x[4, 4]), lse[5] - x[5, 5], 0.5(lse[6] - x[6, 6])]
    @test Targets(Int32[1, 3, 3, 4, 6, 7, 8], Int32[1, 2, 30, 4, 4, 5, 6], targets.weights) isa Targets
    @test crossentropy(x, Targets(Int32.(targets.ends), Int32.(targets.classes), targets.weights)) === crossentropy(x, targets)
    # One class a row is a list of one.
    @test crossentropy(x, Targets([[l] for l in labels])) === crossentropy(x, labels)
end

@testset "edges" begin
    y = Float32[0 -Inf -Inf NaN; 0 0 -Inf 0]
    @test isequal(crossentropy(y, [1, 1, 1, 1]; reduction=:none), Float32[log(2.0f0), Inf, Inf, NaN])
    grad = similar(y)
    crossentropy!(nothing, y, [1, 1, 1, 1]; grad=grad, reduction=:sum)
    @test isequal(grad, Float32[-0.5 -1 0 NaN; 0.5 1 0 NaN])
end

@testset "bad input" begin
    @test occursin("31", message_of(() -> crossentropy(x, [1, 1, 1, 1, 1, 31]), ArgumentError))
    @test occursin("0", message_of(() -> crossentropy(x, [0, 1, 1, 1, 1, 1]), ArgumentError))
    @test_throws DimensionMismatch crossentropy(x, [1, 2, 3])
    @test occursin(":average", message_of(() -> crossentropy(x, labels; reduction=:average), ArgumentError))
    @test occursin("label_smoothing", message_of(() -> crossentropy(x, labels; label_smoothing=2), ArgumentError))
    @test occursin("z_loss", message_of(() -> crossentropy(x, labels; z_loss=0.1, reduction=:none), ArgumentError))
    @test occursin("targets is a", message_of(() -> crossentropy(x, [1.0, 2.0]), ArgumentError))
    @test_throws DimensionMismatch crossentropy!(zeros(5), x, labels)
    @test crossentropy(zeros(0, 3), [-100, -100, -100]; reduction=:none) == zeros(3) # no classes, yet rows
    @test_throws DimensionMismatch crossentropy!(nothing, x, labels; grad=zeros(29, 6))
    @test_throws DimensionMismatch Targets([1, 2], [1], Float32[1, 2])
    @test_throws ArgumentError Targets(Int[], Int[])
    @test_throws MethodError crossentropy(x, labels; smoothing=1)
    # Nothing is written when a later row is wrong.
    loss = fill(7.0, 6)
    @test_throws ArgumentError crossentropy!(loss, x, [1, 1, 1, 1, 1, 99])
    @test all(==(7), loss)
end
