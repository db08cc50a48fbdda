# SPDX-License-Identifier: Apache-2.0
# How the library is found, in processes of their own.
@test isfile(Vastmax.library())
@test Vastmax.version() == VersionNumber(Vastmax.version_string())
@test Vastmax.version() >= Raw.header_version
@test Vastmax.MAX_CLASSES == 2^31 - 1 && Vastmax.BLOCK == 4096

project = Base.active_project()
julia = `$(Base.julia_cmd()) --startup-file=no --project=$project`
show_library = "using Vastmax; print(Vastmax.library())"

function run_julia(code, env...)
    out = IOBuffer()
    process = run(pipeline(ignorestatus(setenv(`$julia -e $code`, merge(Dict(ENV), Dict{String,String}(env...)))); stdout=out, stderr=out))
    return success(process), String(take!(out))
end

worked, text = run_julia(show_library, "VASTMAX_LIBRARY" => Vastmax.library())
@test worked && realpath(text) == realpath(Vastmax.library())

# A wrong path is an error that names it, and not a reason to look elsewhere.
worked, text = run_julia(show_library, "VASTMAX_LIBRARY" => "/nowhere/libvastmax.so")
@test !worked && occursin("/nowhere/libvastmax.so", text) && occursin("VASTMAX_LIBRARY", text)
@test occursin("No such file", text) # the loader's own reason

# A library that is another one.
other = first(path for path in Vastmax.Libdl.dllist() if occursin(".so", path) && isfile(path) && !occursin("vastmax", path))
worked, text = run_julia(show_library, "VASTMAX_LIBRARY" => other)
@test !worked && occursin("is not the libvastmax", text)

# deps/build.jl remembers the path; without VASTMAX_LIBRARY it forgets it.
mktempdir() do folder
    package = joinpath(folder, "Vastmax")
    cp(joinpath(@__DIR__, ".."), package)
    written = joinpath(package, "deps", "library.txt")
    build = "include($(repr(joinpath(package, "deps", "build.jl"))))"
    worked, text = run_julia(build, "VASTMAX_LIBRARY" => Vastmax.library())
    @test worked && strip(read(written, String)) == abspath(Vastmax.library())
    out = read(setenv(`$(Base.julia_cmd()) --startup-file=no --compiled-modules=no --project=$package -e $show_library`,
                      merge(Dict(ENV), Dict("VASTMAX_LIBRARY" => ""))), String)
    @test realpath(out) == realpath(Vastmax.library())
    worked, text = run_julia(build, "VASTMAX_LIBRARY" => "/nowhere.so")
    @test !worked && occursin("/nowhere.so", text)
    worked, text = run_julia(build, "VASTMAX_LIBRARY" => "")
    @test worked && !isfile(written)
end
