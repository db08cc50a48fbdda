# SPDX-License-Identifier: Apache-2.0
# Every strided array is read and written in place, with the same bits as a copy of it.
using LinearAlgebra: Adjoint, Transpose, transpose

whole = randn(Float32, 24, 20)
variants = Dict(
    "columns apart" => view(whole, :, 1:3:19),
    "rows apart" => view(whole, 2:2:24, :),
    "reversed classes" => view(whole, 24:-1:1, :),
    "reversed rows" => view(whole, :, 20:-1:1),
    "both reversed, apart" => view(whole, 23:-2:3, 19:-3:1),
    "permuted" => PermutedDimsArray(whole, (2, 1)),
    "permuted view" => PermutedDimsArray(view(whole, 1:2:24, 4:9), (2, 1)),
    "transpose" => transpose(whole),
    "adjoint" => whole',
    "transposed vector" => transpose(whole[:, 1]),
    "reshaped" => reshape(view(whole, :, 3:8), 12, 12),
    "reinterpreted" => reinterpret(Float32, reinterpret(UInt32, whole)),
)
@testset "$name" for (name, x) in variants, dims in (1, 2)
    plain = collect(x)
    @test same_bits(logsumexp(x; dims=dims), logsumexp(plain; dims=dims))
    @test same_bits(softmax(x; dims=dims), softmax(plain; dims=dims))
    k = min(3, size(x, dims))
    @test topk(x, k; dims=dims) == topk(plain, k; dims=dims)
    @test isequal(finish(fold!([LseState() for _ in 1:size(x, 3 - dims)], x; dims=dims)), finish(fold!([LseState() for _ in 1:size(x, 3 - dims)], plain; dims=dims)))
    labels = rand(1:size(x, dims), size(x, 3 - dims))
    @test crossentropy(x, labels; dims=dims) === crossentropy(plain, labels; dims=dims)
end

# Writing through a view leaves everything else as it is. The arrays above share memory: these are made anew.
@testset "outputs" begin
    for (rows, cols) in ((2:2:24, 1:20), (24:-1:1, 20:-1:1), (1:24, 3:3:18))
        store = fill(9.0f0, 24, 20)
        x = randn(Float32, length(rows), length(cols))
        y = view(store, rows, cols)
        softmax!(y, x)
        @test same_bits(collect(y), softmax(x))
        store[rows, cols] .= 9
        @test all(==(9), store)
    end
    x = randn(Float32, 6, 4)
    y = zeros(Float32, 4, 6)
    softmax!(PermutedDimsArray(y, (2, 1)), x)
    @test same_bits(y, permutedims(softmax(x)))
    lse = fill(5.0f0, 8)
    logsumexp!(view(lse, 2:2:8), x)
    @test same_bits(lse[2:2:8], vec(logsumexp(x; dims=1))) && all(==(5), lse[1:2:7])
    in_place = PermutedDimsArray(copy(x), (2, 1))
    softmax!(in_place; dims=2)
    @test same_bits(parent(in_place), softmax(x))
end

@testset "more dimensions" begin
    x = randn(Float32, 5, 6, 7, 2)
    for a in (x, PermutedDimsArray(x, (3, 1, 4, 2)), view(x, 5:-2:1, 2:5, :, :)), dims in 1:4
        expected = mapslices(v -> softmax(v), collect(a); dims=dims)
        @test same_bits(softmax(a; dims=dims), expected)
        @test same_bits(softmax!(PermutedDimsArray(zeros(Float32, reverse(size(a))), (4, 3, 2, 1)), a; dims=dims) |> collect, expected)
        lse = logsumexp(a; dims=dims)
        @test same_bits(lse, mapslices(v -> [logsumexp(v)], collect(a); dims=dims))
        flags = zeros(UInt32, length(a) ÷ size(a, dims))
        beside = zeros(Float32, size(lse))
        softmax!(collect(a); dims=dims, lse=beside, flags=flags)
        @test same_bits(beside, lse) && iszero(flags)
        d = randn(Float32, size(a))
        @test same_bits(∇softmax_data(d, softmax(a; dims=dims); dims=dims),
                        ∇softmax_data(d, expected; dims=dims))
        t = topk(a, 2; dims=dims)
        @test same_bits(t.ids, mapslices(v -> topk(v, 2).ids, collect(a); dims=dims))
    end
    t = rand(Float32, 5, 1, 7, 2)
    @test softmax(x; dims=2, temperature=t) ≈ softmax(x ./ t; dims=2)
    @test same_bits(softmax(x; dims=2, temperature=vec(t)), softmax(x; dims=2, temperature=t))
    # Flags of a row that is not the first.
    x[3, :, 4, 2] .= NaN
    flags = zeros(UInt32, 5, 7, 2)
    logsumexp(x; dims=2, flags=flags)
    @test findall(!iszero, flags) == [CartesianIndex(3, 4, 2)]
end

@testset "dims = :" begin
    @test logsumexp(view(whole, :, 5:9)) === logsumexp(whole[:, 5:9])
    @test logsumexp(view(whole, 1:2:23, 4)) === logsumexp(whole[1:2:23, 4])
    @test occursin("one distance", message_of(() -> logsumexp(view(whole, 2:5, 3:9)), ArgumentError))
end

@testset "no strides" begin
    @test occursin("x is a", message_of(() -> logsumexp(view(whole, [1, 5, 2], :); dims=1), ArgumentError))
    @test occursin("no strides", message_of(() -> softmax!(zeros(Float64, 3), range(1.0, 3.0; length=3)), ArgumentError))
    @test occursin("x.dtype", message_of(() -> logsumexp([1, 2, 3]) , ArgumentError))
    @test occursin("elements of type Complex", message_of(() -> logsumexp(Complex{Float32}[1, 2]), ArgumentError))
end

# The garbage collector must not take what a call is reading.
@testset "garbage" begin
    for _ in 1:200
        @test softmax!(view(zeros(Float32, 40, 10), 1:2:40, :), view(zeros(Float32, 10, 20), :, :)')[1] == 0.05f0
        GC.gc(false)
    end
end
