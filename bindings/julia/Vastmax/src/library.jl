# SPDX-License-Identifier: Apache-2.0
# Finds and loads the C library, when the module is loaded and not before: a precompiled Vastmax holds no path.

const built_library = joinpath(@__DIR__, "..", "deps", "library.txt")

# The candidates in order. The first that is given decides: a wrong VASTMAX_LIBRARY is an error and not a reason to look on.
function library_candidates()
    given = get(ENV, "VASTMAX_LIBRARY", "")
    isempty(given) || return "VASTMAX_LIBRARY", [given]
    if isfile(built_library)
        path = strip(read(built_library, String))
        isempty(path) || return "deps/library.txt, which deps/build.jl wrote", [String(path)]
    end
    return "the system's library path", ["libvastmax.so.$(Raw.VMX_VERSION_MAJOR)", "libvastmax"]
end

# Not RTLD_DEEPBIND, Julia's default: where Julia brings an unwinder of its own, exceptions inside the library would begin in that one
# (by libstdc++) and go on in libgcc's (by the library), which ends the process.
const dlopen_flags = Libdl.RTLD_NOW | Libdl.RTLD_LOCAL

function load_library()
    source, candidates = library_candidates()
    handle, reasons = nothing, String[]
    for name in candidates
        try
            handle = Libdl.dlopen(name, dlopen_flags)
            break
        catch problem # a file that is there may lack what it needs in its turn
            push!(reasons, sprint(showerror, problem))
        end
    end
    if handle === nothing
        error("libvastmax was not found: tried ", join(candidates, ", "), " (from ", source, "): ", join(reasons, "; "), ". Set VASTMAX_LIBRARY to the path ",
              "of libvastmax.so, or run deps/build.jl (`Pkg.build(\"Vastmax\")`) with it set, which remembers the path.")
    end
    try
        Raw.load(handle)
    catch problem
        error("the library of ", Libdl.dlpath(handle), " (from ", source, ") is not the libvastmax that this package is made for: ",
              sprint(showerror, problem))
    end
    found, wanted = library_version(), Raw.header_version
    # Before 1.0 a minor version may change the ABI.
    if found.major != wanted.major || (wanted.major == 0 && found.minor != wanted.minor) || found < wanted
        error("libvastmax ", found, " in ", Libdl.dlpath(handle), " does not fit this package, which is made for ", wanted)
    end
    library_path[] = Libdl.dlpath(handle)
    return nothing
end

const library_path = Ref("")

"""
    Vastmax.library() -> String

Path of the `libvastmax` that was loaded. It is, in this order, what `ENV["VASTMAX_LIBRARY"]` names, the path that
`deps/build.jl` wrote, or the system's `libvastmax`.
"""
library() = library_path[]

function library_version()
    number = Raw.vmx_version()
    return VersionNumber(number ÷ 10000, number ÷ 100 % 100, number % 100)
end

"""
    Vastmax.version() -> VersionNumber

Version of the C library that was loaded.

```jldoctest
julia> Vastmax.version() >= v"0.1"
true
```
"""
version() = library_version()

"""
    Vastmax.version_string() -> String

The library's version as it writes it itself.
"""
version_string() = unsafe_string(Raw.vmx_version_string())

"""
    Vastmax.onednn_version() -> String

Version of the oneDNN that makes the matrix products of the linear source, `""` in a build without it.
"""
onednn_version() = unsafe_string(Raw.vmx_onednn_version())
