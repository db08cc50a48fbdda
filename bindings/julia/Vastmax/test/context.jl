# SPDX-License-Identifier: Apache-2.0
@testset "ISAs" begin
    isas = Vastmax.isas()
    @test isas[1] == (number=1, name="scalar", usable=true)
    @test Vastmax.isa_name(99) == "unknown"
    @test Vastmax.active_isa() == maximum(i.number for i in isas if i.usable)
    x = randn(Float32, 5000, 3)
    expected = softmax(x)
    for i in isas
        name = Symbol(i.name)
        if i.usable
            context = Context(isa=name)
            @test Vastmax.active_isa(context) == i.number
            @test same_bits(softmax(x; context=context), expected)
        else
            @test occursin(i.name, message_of(() -> Context(isa=name), VastmaxError))
        end
    end
    withenv("VASTMAX_ISA" => "scalar") do
        @test Vastmax.active_isa(Context()) == 1
    end
    withenv("VASTMAX_ISA" => "abacus") do
        @test occursin("abacus", message_of(() -> Context(), ArgumentError))
    end
end

@testset "threads" begin
    x = randn(Float32, 20_000, 40)
    expected = softmax(x)
    for threads in (0, 1, 2, 3, :julia)
        context = Context(threads=threads)
        @test Vastmax.threads(context) == (threads === :julia ? Threads.nthreads() : max(threads, 1))
        @test same_bits(softmax(x; context=context), expected)
        @test topk(x, 5; context=context) == topk(x, 5)
    end
    @test Vastmax.threads(nothing) == 1
end

# A call on Julia's threads may come from any task, and many at once.
@testset "Julia's threads from tasks" begin
    context = Context(threads=:julia)
    inputs = [randn(Float32, 30_000, 8) for _ in 1:12]
    expected = map(x -> logsumexp(x; dims=1), inputs)
    tasks = [Threads.@spawn(logsumexp(x; dims=1, context=context)) for x in inputs]
    @test all(same_bits.(fetch.(tasks), expected))
    found = similar(expected)
    Threads.@threads for i in eachindex(inputs)
        found[i] = logsumexp(inputs[i]; dims=1, context=context)
    end
    @test all(same_bits.(found, expected))
    @test !current_task().sticky || fetch(@async logsumexp(inputs[1]; dims=1, context=context)) == expected[1]
end

# The callback alone: each index once, and a failure that C is told of.
const counts = zeros(Int, 1000)
count_task(argument::Ptr{Cvoid}, index::Int64) = (counts[index+1] += 1; nothing)
@testset "callback" begin
    task = @cfunction(count_task, Cvoid, (Ptr{Cvoid}, Int64))
    sticky = current_task().sticky
    @test Vastmax.julia_parallel_for(C_NULL, Int64(1000), task, C_NULL) == 0
    @test all(==(1), counts)
    @test current_task().sticky == sticky
    # A parallel_for of one's own that runs nothing is an error of that call.
    lazy = @cfunction((user, n, task, argument) -> Int32(1), Int32, (Ptr{Cvoid}, Int64, Ptr{Cvoid}, Ptr{Cvoid}))
    context = Context(parallel_for=lazy, threads=2)
    @test message_of(() -> softmax(randn(Float32, 100_000, 4); context=context), VastmaxError) |> m -> occursin("callback", lowercase(m))
    @test_throws ArgumentError Context(threads=:julia, parallel_for=lazy)
end

# Ctrl-C during a call throws after it, and not through C. (A task that meets it elsewhere may take it.)
@testset "Ctrl-C" begin
    code = """
        using Vastmax
        ccall(:jl_exit_on_sigint, Cvoid, (Cint,), 0)
        function pressed(user, n, task, argument)
            ccall(:kill, Cint, (Cint, Cint), getpid(), 2)
            Libc.systemsleep(0.05)
            return Vastmax.julia_parallel_for(user, n, task, argument)
        end
        context = Context(threads=2, parallel_for=@cfunction(pressed, Int32, (Ptr{Cvoid}, Int64, Ptr{Cvoid}, Ptr{Cvoid})))
        x = randn(Float32, 50_000, 32)
        expected = softmax(x)
        outcomes = map(1:5) do _
            y = zero(x)
            try softmax!(y, x; context=context) == expected catch problem problem end
        end
        print(count(o -> o isa InterruptException, outcomes) > 0 && all(o -> o isa InterruptException || o === true, outcomes))
        """
    command = `timeout 60 $(Base.julia_cmd()) --startup-file=no --project=$(Base.active_project()) -e $code`
    out = IOBuffer()
    run(pipeline(ignorestatus(setenv(command, merge(Dict(ENV), Dict("JULIA_NUM_THREADS" => "2")))); stdout=out))
    @test String(take!(out)) == "true"
end

@testset "life" begin
    context = Context(threads=2)
    workspace = Workspace(context)
    x = randn(Float32, 100_000)
    expected = softmax(x)
    @test same_bits(softmax(x; context=context, workspace=workspace), expected)
    # The workspace holds what it needs of the context.
    close(context)
    @test !isopen(context) && repr(context) == "Context(closed)"
    @test occursin("context is closed", message_of(() -> softmax(x; context=context), ArgumentError))
    @test_throws ArgumentError Vastmax.threads(context)
    close(context)
    @test same_bits(softmax(x; workspace=workspace), expected)
    close(workspace)
    close(workspace)
    @test occursin("workspace is closed", message_of(() -> softmax(x; workspace=workspace), ArgumentError))
    @test_throws ArgumentError capacity(workspace)
    for _ in 1:50 # whatever the order of the finalizers
        Workspace(Context(threads=2); size=1000)
        Sampler(:uniform; classes=3)
        PackedWeights(ones(Float32, 2, 2))
    end
    GC.gc()
    GC.gc()
    @test same_bits(softmax(x), expected)
    @test Context(isopen)
end

@testset "workspace" begin
    x = randn(Float32, 50_000, 2)
    y = similar(x)
    for (size, call) in ((softmax_workspace_size(x, y), w -> softmax!(y, x; workspace=w)),
                         (softmax_workspace_size(x), w -> logsumexp!(zeros(Float32, 2), x; workspace=w)),
                         (softmax_workspace_size(x, y; precise=true), w -> logsoftmax!(y, x; precise=true, workspace=w)),
                         (fold_workspace_size(x; entropy=true), w -> fold!([LseState(), LseState()], x; entropy=true, workspace=w)),
                         (crossentropy_workspace_size(x; grad=y, label_smoothing=0.1),
                          w -> crossentropy!(nothing, x, [1, 2]; grad=y, label_smoothing=0.1, workspace=w)),
                         (topk_workspace_size(x, 100), w -> topk!(zeros(Float32, 100, 2), zeros(Int, 100, 2), x; workspace=w)),
                         (linear_logsumexp_workspace_size(x[1:8, :], ones(Float32, 8, 500)),
                          w -> linear_logsumexp!(zeros(Float32, 2), x[1:8, :], ones(Float32, 8, 500); workspace=w)),
                         (linear_crossentropy_workspace_size(x[1:8, :], ones(Float32, 8, 500); grad_hidden=zeros(Float32, 8, 2)),
                          w -> linear_crossentropy!(nothing, x[1:8, :], ones(Float32, 8, 500), [1, 2]; grad_hidden=zeros(Float32, 8, 2), workspace=w)),
                         (linear_topk_workspace_size(x[1:8, :], ones(Float32, 8, 500), 3),
                          w -> linear_topk!(zeros(Float32, 3, 2), nothing, x[1:8, :], ones(Float32, 8, 500); workspace=w)))
        workspace = Workspace(size=size)
        held = capacity(workspace)
        @test held >= size
        call(workspace)
        @test capacity(workspace) == held
    end
    @test_throws ArgumentError Workspace(size=-1)
    @test_throws ArgumentError reserve!(Workspace(), -1)
    @test capacity(reserve!(Workspace(), 12345)) >= 12345
end

@testset "bad input" begin
    @test occursin(":neon", message_of(() -> Context(isa=:neon), ArgumentError))
    @test occursin("threads", message_of(() -> Context(threads=-1), ArgumentError))
    @test occursin("threads", message_of(() -> Context(threads=1025), ArgumentError))
    @test occursin(":all", message_of(() -> Context(threads=:all), ArgumentError))
    @test_throws ArgumentError Context(alloc=Ptr{Cvoid}(8))
end
