# SPDX-License-Identifier: Apache-2.0
# Remembers where the C library is: VASTMAX_LIBRARY=/path/to/libvastmax.so julia deps/build.jl (or Pkg.build("Vastmax")) writes the
# path to deps/library.txt; without VASTMAX_LIBRARY the file is removed, and the system's library is used.
using Libdl

let file = joinpath(@__DIR__, "library.txt"), path = get(ENV, "VASTMAX_LIBRARY", "")
    if isempty(path)
        rm(file; force=true)
    else
        path = abspath(path)
        isfile(path) || error("VASTMAX_LIBRARY = $path: no such file")
        Libdl.dlclose(Libdl.dlopen(path, RTLD_NOW)) # an error now rather than at first use
        write(file, path, "\n")
    end
end
