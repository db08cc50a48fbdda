# SPDX-License-Identifier: Apache-2.0
# Sizes and offsets of the structs are those that a C program prints.

structs, fields = 0, 0
for line in eachline(joinpath(vectors_dir, "layout.txt"))
    words = split(line)
    (isempty(words) || startswith(words[1], "#")) && continue
    name = split(words[1], '.')
    first_number, second_number = parse.(Int, words[2:3])
    T = getfield(Raw, Symbol(name[1]))
    if length(name) == 1
        global structs += 1
        @test (words[1], sizeof(T), Base.datatype_alignment(T)) == (words[1], first_number, second_number)
    else
        global fields += 1
        index = findfirst(==(Symbol(name[2])), fieldnames(T))
        @test index !== nothing
        @test (words[1], Int(fieldoffset(T, index)), sizeof(fieldtype(T, index))) == (words[1], first_number, second_number)
    end
end
ours = [T for T in (getfield(Raw, n) for n in names(Raw; all=true) if startswith(string(n), "vmx_"))
        if T isa DataType && isconcretetype(T) && isbitstype(T) && T !== Raw.vmx_status]
@test structs == length(ours)
@test fields == sum(fieldcount, ours)
