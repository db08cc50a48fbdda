# SPDX-License-Identifier: Apache-2.0
# The library is the one that Vastmax finds: ENV["VASTMAX_LIBRARY"] names another. The files of tests/vectors are those of this tree.
using Test, Random
using Vastmax
using Vastmax: Raw

Random.seed!(20)

const vectors_dir = joinpath(@__DIR__, "..", "..", "..", "..", "tests", "vectors")
const source_dir = joinpath(@__DIR__, "..", "src")

include("support.jl")

@testset "Vastmax" begin
    for file in ("raw", "layout", "vectors", "softmax", "views", "states", "crossentropy", "topk", "linear", "samplers", "sampled", "context",
                 "bfloat16", "errors", "allocations", "library", "chainrules", "doctests")
        @testset "$file" begin
            include("$file.jl")
        end
    end
end
