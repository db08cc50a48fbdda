# SPDX-License-Identifier: Apache-2.0
# Runs the ```jldoctest blocks of all docstrings, and the ```jldoctest and ```julia blocks of the README.

# A block as (code, what it prints). Lines after a prompt are indented by seven.
function examples(block)
    found = Tuple{String,String}[]
    code, output, in_code = String[], String[], false
    finish!() = isempty(code) || push!(found, (join(code, "\n"), strip(join(output, "\n"))))
    for line in split(block, "\n")
        if startswith(line, "julia> ")
            finish!()
            code, output, in_code = [String(line[8:end])], String[], true
        elseif in_code && startswith(line, "       ")
            push!(code, String(line[8:end]))
        else
            in_code = false
            push!(output, String(line))
        end
    end
    finish!()
    return found
end

# Newer versions write Vector{T} and BitVector where 1.5 writes Array{T,1} and BitArray{1}.
function same_in_all_versions(text)
    text = replace(text, r"BitArray\{1\}" => "BitVector")
    for _ in 1:3
        text = replace(text, r"Array\{((?:[^{}]|\{[^{}]*\})*), ?1\}" => s"Vector{\1}")
        text = replace(text, r"Array\{((?:[^{}]|\{[^{}]*\})*), ?2\}" => s"Matrix{\1}")
    end
    return join(map(rstrip, split(strip(text), "\n")), "\n")
end

function run_block(block, name)
    room = Module(:Doctest)
    Core.eval(room, :(using Vastmax))
    for (code, expected) in examples(block)
        value = include_string(room, code)
        quiet = value === nothing || endswith(rstrip(code), ";")
        found = quiet ? "" : Base.invokelatest(repr, MIME("text/plain"), value; context=IOContext(stdout, :module => room, :limit => true))
        @test (name, code, same_in_all_versions(found)) == (name, code, same_in_all_versions(expected))
    end
    return length(examples(block))
end

blocks(text, language) = [m.captures[1] for m in eachmatch(Regex("^```$language *\\n(.*?)^```", "ms"), text)]

documented, ran = Set{Symbol}(), 0
for (binding, docs) in Base.Docs.meta(Vastmax), docstring in values(docs.docs)
    push!(documented, binding.var)
    text = join(docstring.text)
    for block in blocks(text, "jldoctest")
        global ran += run_block(block, binding.var)
    end
    # A reference that leads nowhere.
    for reference in eachmatch(r"\[`([^`]+)`\]\(@ref\)", text)
        @test (binding.var, isdefined(Vastmax, Symbol(reference.captures[1]))) == (binding.var, true)
    end
end
@test ran > 80

undocumented = setdiff(names(Vastmax), documented)
@test undocumented == Symbol[]

readme = read(joinpath(@__DIR__, "..", "..", "README.md"), String)
@test !isempty(blocks(readme, "jldoctest")) && !isempty(blocks(readme, "julia"))
for block in blocks(readme, "jldoctest")
    run_block(block, "README")
end
for block in blocks(readme, "julia")
    room = Module(:Readme)
    @test include_string(room, block) !== ErrorException # it runs to its end
end
