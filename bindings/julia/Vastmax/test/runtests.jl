# SPDX-License-Identifier: Apache-2.0
# The library is the one that Vastmax finds: ENV["VASTMAX_LIBRARY"] names another. The files of tests/vectors are those of this tree.
# Arguments: names of files to run instead of all.
using Test
using Vastmax

const files = ["raw", "layout", "vectors", "softmax", "views", "states", "crossentropy", "topk", "linear", "samplers", "sampled", "context",
               "bfloat16", "errors", "allocations", "library", "chainrules", "doctests"]

# Each file in a module of its own, so that none leans on another's names.
function run_file(file)
    room = Module(Symbol("Test_", file))
    Core.eval(room, quote
        using Test, Random, Vastmax
        using Vastmax: Raw
        include(path) = Base.include($room, path)
        eval(expression) = Core.eval($room, expression)
        const vectors_dir = joinpath($(@__DIR__), "..", "..", "..", "..", "tests", "vectors")
        const source_dir = joinpath($(@__DIR__), "..", "src")
        Random.seed!(20)
    end)
    Base.include(room, joinpath(@__DIR__, "support.jl"))
    Base.include(room, joinpath(@__DIR__, "$file.jl"))
end

@testset "Vastmax" begin
    @testset "$file" for file in (isempty(ARGS) ? files : ARGS)
        run_file(file)
    end
end
@test isempty(ARGS) || issubset(ARGS, files)
