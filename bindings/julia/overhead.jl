# SPDX-License-Identifier: Apache-2.0
# What a call from Julia costs over one from C, on a 1 x 1,000 row: julia --project=PROJECT overhead.jl OVERHEAD_LIBRARY
# (../overhead.c, compiled by test.sh). Both loops run in this process by turns; each figure is the least of its rounds. Exit
# status 1 if a form with ! allocates; times are only told.
using Vastmax

# Rounds short enough that many fall between two interruptions.
const rounds, calls = 3_000, 300

const loop_in_c = Vastmax.Libdl.dlsym(Vastmax.Libdl.dlopen(ARGS[1]), :time_call)
function time_c(which, x, y)
    took = ccall(loop_in_c, Float64, (Cint, Ptr{Float32}, Ptr{Float32}, Int64, Int64), which, x, y, length(x), calls)
    took >= 0 || error("the C loop failed")
    return took
end

function time_julia(call::F) where {F}
    start = time_ns()
    for _ in 1:calls
        call()
    end
    return Float64(time_ns() - start) / calls
end

function forms()
    x, y, lse = randn(Float32, 1000, 1), zeros(Float32, 1000, 1), zeros(Float32, 1)
    labels, values, ids = [4], zeros(Float32, 10, 1), zeros(Int, 10, 1)
    return (x, y,
            (("logsumexp!(lse, x)", 0, () -> logsumexp!(lse, x)),
             ("logsumexp(x)", 0, () -> logsumexp(x)),
             ("softmax!(y, x)", 1, () -> softmax!(y, x)),
             ("softmax(x)", 1, () -> softmax(x)),
             ("crossentropy!(nothing, x, labels)", 2, () -> crossentropy!(nothing, x, labels; reduction=:mean)),
             ("topk!(values, ids, x)", 3, () -> topk!(values, ids, x)),
             ("topk(x, 10)", 3, () -> topk(x, 10))))
end

function measure(name, which, call::F, x, y) where {F}
    allocated = (time_julia(call); @allocated time_julia(call))
    in_c, in_julia = Inf, Inf
    for _ in 1:rounds
        in_c = min(in_c, time_c(which, x, y))
        in_julia = min(in_julia, time_julia(call))
    end
    println(rpad(name, 34), lpad(round(in_c; digits=1), 7), lpad(round(in_julia; digits=1), 9), lpad(round(in_julia - in_c; digits=1), 9),
            lpad(allocated ÷ calls, 8))
    occursin('!', name) && allocated >= calls && error("$name allocates")
end

x, y, calls_of_both = forms()
println("1 x 1000 Float32, ns a call: fastest of $rounds rounds of $calls calls")
println(rpad("", 34), lpad("C", 7), lpad("Julia", 9), lpad("over C", 9), lpad("bytes", 8))
foreach(form -> measure(form..., x, y), calls_of_both)
