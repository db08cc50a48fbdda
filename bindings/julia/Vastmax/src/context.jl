# SPDX-License-Identifier: Apache-2.0
# Where a call runs (ISA, threads) and its scratch memory.

# A handle of the C library, with the number of Julia objects that need it: it is freed with the last of them, in whatever order
# the garbage collector meets them.
mutable struct ContextHandle
    pointer::Ptr{Raw.vmx_context}
    users::Threads.Atomic{Int}
end
function release(handle::ContextHandle)
    if Threads.atomic_sub!(handle.users, 1) == 1
        Raw.vmx_context_destroy(handle.pointer)
    end
    return nothing
end

"""
    Context(; isa=:best, threads=1)
    Context(f; ...)

Where calls run. Immutable; any number of threads may use one at the same time. Results never depend on it. Without one
(`context=nothing` everywhere) a call uses the best ISA of this CPU and the calling thread only.

  * `isa`: the highest ISA to use: `:best`, `:scalar`, `:avx2` or `:avx512`. `ENV["VASTMAX_ISA"]` caps it too.
  * `threads`: 1 for the calling thread only; `n > 1` (at most 1024) for a pool of the context's own, `n` counting the caller;
    `:julia` for Julia's threads, started with `julia --threads`: the caller and the tasks it spawns share the work, so
    nothing oversubscribes the CPU where Julia code is parallel already. Ctrl-C ends a call on them when it is done.
  * `parallel_for`, `parallel_for_user`: addresses of a C function and its data (`vmx_parallel_for`), for another scheduler.
  * `alloc`, `free`, `alloc_user`: addresses of C functions and their data (`vmx_alloc`, `vmx_free`). They may be called from
    threads that Julia does not know, so they cannot be Julia functions.

It is freed with the last object that needs it, or by `close(context)`, which must not happen while a call runs on it. With a function `f`
first, `f(context)` is called and the context closed after it.

Throws `VastmaxError` for an ISA that this CPU or build lacks, `ArgumentError` for an unknown name or number.

```jldoctest
julia> context = Context(threads=2);

julia> Vastmax.threads(context)
2

julia> logsumexp(Float32[0, 0, 0, 0]; context=context) ≈ log(4)
true

julia> close(context)

julia> Context(isa=:scalar) do context
           Vastmax.isa_name(Vastmax.active_isa(context))
       end
"scalar"
```
"""
mutable struct Context
    handle::ContextHandle
    calls_julia::Bool # or may do so, by a parallel_for
    open::Bool

    function Context(; isa::Union{Symbol,Integer}=:best, threads::Union{Symbol,Integer}=1, parallel_for::Ptr{Cvoid}=C_NULL,
                     parallel_for_user::Ptr{Cvoid}=C_NULL, alloc::Ptr{Cvoid}=C_NULL, free::Ptr{Cvoid}=C_NULL, alloc_user::Ptr{Cvoid}=C_NULL)
        if threads === :julia
            parallel_for == C_NULL || throw(ArgumentError("threads = :julia beside a parallel_for of one's own"))
            parallel_for = @cfunction(julia_parallel_for, Int32, (Ptr{Cvoid}, Int64, Ptr{Cvoid}, Ptr{Cvoid}))
            threads = Threads.nthreads()
        end
        typeof(threads) === Symbol && throw(ArgumentError("threads = :$threads: a number, or :julia"))
        typemin(Int32) <= threads <= typemax(Int32) || throw(ArgumentError("threads = $threads: 0 to 1024"))
        options = Ref(Raw.vmx_context_options(isa=isa_number(isa), threads=threads, parallel_for=parallel_for,
            parallel_for_user=parallel_for_user, alloc=alloc, free=free, alloc_user=alloc_user))
        out = Ref(Ptr{Raw.vmx_context}(C_NULL))
        check(Raw.vmx_context_create(options, out))
        return finalizer(close, new(ContextHandle(out[], Threads.Atomic{Int}(1)), parallel_for != C_NULL, true))
    end
end

function Context(f::Function; options...)
    context = Context(; options...)
    try
        return f(context)
    finally
        close(context)
    end
end

function Base.close(context::Context)
    if context.open
        context.open = false
        release(context.handle)
    end
    return nothing
end
Base.isopen(context::Context) = context.open

Base.show(io::IO, context::Context) = context.open ?
    print(io, "Context(isa=:", isa_name(active_isa(context)), ", threads=", threads(context), ")") : print(io, "Context(closed)")

@inline handle(::Nothing) = Ptr{Raw.vmx_context}(C_NULL)
# A closed context must not silently become the default one.
@inline handle(context::Context) = context.open ? context.handle.pointer : throw_closed("context")
@inline calls_julia(::Nothing) = false
@inline calls_julia(context::Context) = context.calls_julia
@noinline throw_closed(name) = throw(ArgumentError("the $name is closed"))

"""
    Vastmax.threads(context) -> Int

Threads that calls on `context` (`nothing`: the default) may use, the caller included.
"""
threads(context::Maybe{Context}) = Int(Raw.vmx_context_threads(handle(context)))

const isa_names = (scalar=Raw.VMX_ISA_SCALAR, avx2=Raw.VMX_ISA_AVX2, avx512=Raw.VMX_ISA_AVX512)
isa_number(number::Integer) = number
function isa_number(name::Symbol)
    name === :best && return Raw.VMX_ISA_BEST
    haskey(isa_names, name) || throw(ArgumentError("isa = :$name: :best, :scalar, :avx2 or :avx512"))
    return isa_names[name]
end

"""
    Vastmax.active_isa(context=nothing) -> Int

Number of the ISA that calls on `context` use. For `nothing` that is the best one, whatever `ENV["VASTMAX_ISA"]` says.
"""
active_isa(context::Maybe{Context}=nothing) = Int(Raw.vmx_isa_active(handle(context)))

"""
    Vastmax.isa_name(number) -> String

`"scalar"`, `"avx2"`, `"avx512"`; `"unknown"` for other numbers.
"""
isa_name(number::Integer) = unsafe_string(Raw.vmx_isa_name(number))

"""
    Vastmax.isas() -> Vector

The ISAs of this build in rising order, each with its number, its name, and whether this CPU can run it.

```jldoctest
julia> first(Vastmax.isas())
(number = 1, name = "scalar", usable = true)
```
"""
function isas()
    numbers = [Int(Raw.vmx_isa_id(i)) for i in 0:Raw.vmx_isa_count()-1]
    return [(number=n, name=isa_name(n), usable=Raw.vmx_isa_usable(n) == 1) for n in numbers]
end

"""
    Workspace(context=nothing; size=0)

Warm scratch memory, which grows as calls need it, or holds `size` bytes from the start. With one a call allocates nothing once it has
grown. One serves one call at a time. See also [`reserve!`](@ref), [`capacity`](@ref) and the functions `*_workspace_size`.

It is freed by the garbage collector, or by `close(workspace)`.

```jldoctest
julia> workspace = Workspace(size=1 << 20);

julia> capacity(workspace) >= 1 << 20
true

julia> softmax(Float32[0, 0]; workspace=workspace)
2-element Array{Float32,1}:
 0.5
 0.5
```
"""
mutable struct Workspace
    pointer::Ptr{Raw.vmx_workspace}
    context::Union{Nothing,ContextHandle}

    function Workspace(context::Maybe{Context}=nothing; size::Integer=0)
        size >= 0 || throw(ArgumentError("size = $size: at least 0"))
        out = Ref(Ptr{Raw.vmx_workspace}(C_NULL))
        owner = nothing
        GC.@preserve context begin
            @check(context, Raw.vmx_workspace_create(handle(context), out))
            if context !== nothing
                owner = context.handle
                Threads.atomic_add!(owner.users, 1)
            end
        end
        workspace = finalizer(close, new(out[], owner))
        size > 0 && reserve!(workspace, size)
        return workspace
    end
end

function Base.close(workspace::Workspace)
    if workspace.pointer != C_NULL
        Raw.vmx_workspace_destroy(workspace.pointer)
        workspace.pointer = C_NULL
        workspace.context === nothing || release(workspace.context)
        workspace.context = nothing
    end
    return nothing
end
Base.isopen(workspace::Workspace) = workspace.pointer != C_NULL

Base.show(io::IO, workspace::Workspace) =
    print(io, "Workspace(", isopen(workspace) ? "$(capacity(workspace)) bytes" : "closed", ")")

@inline scratch(::Nothing) = Ptr{Raw.vmx_workspace}(C_NULL)
@inline scratch(workspace::Workspace) = workspace.pointer == C_NULL ? throw_closed("workspace") : workspace.pointer

"""
    reserve!(workspace, size) -> workspace

Makes sure that a call which needs up to `size` bytes allocates nothing. `ArgumentError` while a call is using the workspace.
"""
function reserve!(workspace::Workspace, size::Integer)
    size >= 0 || throw(ArgumentError("size = $size: at least 0"))
    GC.@preserve workspace check(Raw.vmx_workspace_reserve(scratch(workspace), size))
    return workspace
end

"""
    capacity(workspace) -> Int

Bytes held.
"""
capacity(workspace::Workspace) = GC.@preserve workspace Int(Raw.vmx_workspace_capacity(scratch(workspace)))
