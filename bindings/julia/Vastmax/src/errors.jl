# SPDX-License-Identifier: Apache-2.0
# A status of the C library becomes an exception that carries its message.

"""
    VastmaxError <: Exception

A call that the C library refused or could not carry out, where Julia has no exception of its own for the reason. `status` is the
number of `vastmax.h` (`VMX_ERR_UNSUPPORTED`, `_MEMORY`, `_CALLBACK`, `_STRUCT`, `_INTERNAL`), `message` its text, which names
the argument and the values.

Other reasons are thrown as what Julia has for them, with the same text: `DimensionMismatch` for sizes that do not fit each
other, `ArgumentError` for a value, an element type, a class id, an overlap or a size out of range. After either nothing was
written.

```jldoctest
julia> try
           logsumexp(Float32[1, 2]; temperature=-1)
       catch problem
           typeof(problem)
       end
ArgumentError

julia> Vastmax.status_string(9)
"this CPU or build lacks what was asked for"
```
"""
struct VastmaxError <: Exception
    status::Int32
    message::String
end

function Base.showerror(io::IO, problem::VastmaxError)
    print(io, "VastmaxError: ", problem.message, " (", status_string(problem.status), ")")
end

"""
    Vastmax.status_string(status) -> String

The library's static text for a status number.
"""
status_string(status::Integer) = unsafe_string(Raw.vmx_status_string(status))

"""
    Vastmax.last_error() -> String

The last message of the C library on the calling thread, `""` if no call failed yet. Exceptions carry it already.
"""
function last_error()
    size = Raw.vmx_last_error(C_NULL, 0)
    buffer = Vector{UInt8}(undef, size + 1)
    Raw.vmx_last_error(buffer, length(buffer))
    return String(buffer[1:size])
end

# A call on a context. Where Julia code runs below C, Ctrl-C waits until C is done: an InterruptException must neither go through C nor
# leave it while tasks of the call run.
macro check(context, call)
    return quote
        local waits = calls_julia($(esc(context)))
        waits && Base.sigatomic_begin()
        local status = $(esc(call))
        waits && Base.sigatomic_end()
        waits && status == Raw.VMX_ERR_CALLBACK && Threads.atomic_xchg!(interrupted, 0) == 1 && throw(InterruptException())
        check(status)
    end
end

@inline check(status::Int32) = status == Raw.VMX_OK ? nothing : throw_status(status)

@noinline function throw_status(status::Int32)
    message = last_error()
    status == Raw.VMX_ERR_SHAPE && throw(DimensionMismatch(message))
    if status in (Raw.VMX_ERR_NULL, Raw.VMX_ERR_DTYPE, Raw.VMX_ERR_VALUE, Raw.VMX_ERR_OVERLAP, Raw.VMX_ERR_SIZE, Raw.VMX_ERR_LABEL)
        throw(ArgumentError(message))
    end
    throw(VastmaxError(status, message))
end
