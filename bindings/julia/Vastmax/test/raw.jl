# SPDX-License-Identifier: Apache-2.0
# Every public function of the header is bound, and used by the layer above. The constructors' defaults are the library's.

functions = fieldnames(Raw.Pointers)
@test length(functions) > 70
header = read(joinpath(@__DIR__, "..", "..", "..", "..", "include", "vastmax", "vastmax.h"), String)
declared = [m.captures[1] for m in eachmatch(r"^VMX_API [^;(]*?(vmx_[a-z0-9_]+)\("m, header)]
@test sort(collect(string.(functions))) == sort(declared)

above = join(read(joinpath(source_dir, file), String) for file in readdir(source_dir) if file != "raw.jl")
initializers = filter(name -> endswith(string(name), "_init"), collect(functions))
for name in functions
    @test getfield(Raw.pointers, name) != C_NULL
    # Constructors with the same defaults stand for the functions that fill in the defaults.
    @test (name, name in initializers || occursin(Regex("Raw\\.$name\\b"), above)) == (name, true)
end

for name in initializers
    T = getfield(Raw, Symbol(string(name)[1:end-5]))
    filled = Ref{T}()
    @test getfield(Raw, name)(filled, sizeof(T)) == Raw.VMX_OK
    @test filled[] === T()
end
@test length(initializers) == count(_ -> true, eachmatch(r"size_t struct_size;", header))
