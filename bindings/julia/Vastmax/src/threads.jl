# SPDX-License-Identifier: Apache-2.0
# Julia's threads as the library's. C calls this on the thread that called C, which is one of Julia's; the tasks spawned here run
# the C tasks, which never call back, on Julia's other threads. Nothing may be thrown through C. A task must not go on on another
# thread while C stands on its stack, so the calling one is made to stay where it is. Ctrl-C waits until C is done: for the calling
# task @check sees to it, but a task spawned may meet it before it does anything.
function julia_parallel_for(::Ptr{Cvoid}, n::Int64, task::Ptr{Cvoid}, argument::Ptr{Cvoid})::Int32
    own = current_task()
    stays = own.sticky
    own.sticky = true
    next, helpers = Threads.Atomic{Int64}(0), Task[]
    try
        work = () -> begin
            while true
                index = Threads.atomic_add!(next, Int64(1))
                index < n || return nothing
                ccall(task, Cvoid, (Ptr{Cvoid}, Int64), argument, index)
            end
        end
        for _ in 2:min(n, Threads.nthreads())
            push!(helpers, Threads.@spawn(disable_sigint(work)))
        end
        work()
        foreach(wait, helpers)
        return Int32(0)
    catch problem
        # The helpers use what C gives up when this returns: see them end.
        Threads.atomic_max!(next, n)
        foreach(see_end, helpers)
        is_interrupt(problem) && (interrupted[] = 1)
        return Int32(1)
    finally
        own.sticky = stays
    end
end

function see_end(helper)
    while !istaskdone(helper)
        try
            wait(helper)
        catch
        end
    end
end

is_interrupt(problem) = problem isa InterruptException
is_interrupt(problem::TaskFailedException) = is_interrupt(problem.task.exception)
# Set when Ctrl-C has made julia_parallel_for fail: that call throws an InterruptException then.
const interrupted = Threads.Atomic{Int}(0)
