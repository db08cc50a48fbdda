# SPDX-License-Identifier: Apache-2.0
# Julia's threads as the library's. C calls this on the thread that called C, which is one of Julia's; the tasks spawned here run
# the C tasks, which never call back, on Julia's other threads. Nothing may be thrown through C. A task must not go on on another
# thread while C stands on its stack, so the calling one is made to stay where it is.
function julia_parallel_for(::Ptr{Cvoid}, n::Int64, task::Ptr{Cvoid}, argument::Ptr{Cvoid})::Int32
    own = current_task()
    stays = own.sticky
    own.sticky = true
    try
        next = Threads.Atomic{Int64}(0)
        work = () -> begin
            while true
                index = Threads.atomic_add!(next, Int64(1))
                index < n || return nothing
                ccall(task, Cvoid, (Ptr{Cvoid}, Int64), argument, index)
            end
        end
        helpers = [Threads.@spawn(work()) for _ in 2:min(n, Threads.nthreads())]
        work()
        foreach(wait, helpers)
        return Int32(0)
    catch
        return Int32(1)
    finally
        own.sticky = stays
    end
end
