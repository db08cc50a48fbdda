# SPDX-License-Identifier: Apache-2.0
# Forms with ! allocate nothing on Julia's heap. Each is called by a function of its own, as user code would.
macro zero_allocations(call)
    name = gensym("call")
    arguments = [a for a in unique(symbols(call))]
    quote
        $(esc(name))($(map(esc, arguments)...)) = ($(esc(call)); nothing)
        $(esc(name))($(map(esc, arguments)...))
        $(esc(name))($(map(esc, arguments)...))
        @test ($(string(call)), @allocated($(esc(name))($(map(esc, arguments)...)))) == ($(string(call)), 0)
    end
end
# The variables of a call: symbols that are not called and not names of keywords.
symbols(x) = Symbol[]
symbols(x::Symbol) = x === :nothing ? Symbol[] : [x]
function symbols(x::Expr)
    x.head === :call && return reduce(vcat, map(symbols, x.args[2:end]); init=Symbol[])
    x.head === :kw && return symbols(x.args[2])
    return reduce(vcat, map(symbols, x.args); init=Symbol[])
end

workspace, context = Workspace(size=1 << 24), Context()
x, y, lse, flags = randn(Float32, 1000, 4), zeros(Float32, 1000, 4), zeros(Float32, 4), zeros(UInt32, 4)
t, labels = ones(Float32, 4), [1, 2, 3, 1000]
wide = PermutedDimsArray(randn(Float32, 4, 1000), (2, 1))
@zero_allocations logsumexp!(lse, x)
@zero_allocations logsumexp!(lse, x; flags=flags, temperature=0.5, workspace=workspace, context=context)
@zero_allocations logsumexp!(lse, wide)
@zero_allocations softmax!(y, x)
@zero_allocations softmax!(y)
@zero_allocations softmax!(y, x; temperature=t, lse=lse, flags=flags, workspace=workspace)
@zero_allocations softmax!(y, view(x, :, 1:4))
@zero_allocations logsoftmax!(y, wide; dims=1, precise=true, workspace=workspace)
@zero_allocations ∇logsumexp!(y, 1.0, x; lse=lse)
@zero_allocations ∇logsumexp!(y, lse, x)
@zero_allocations ∇softmax_data!(y, x, x)
@zero_allocations ∇logsoftmax_data!(y, x, x; temperature=2)

states, more = [LseState() for _ in 1:4], [LseState() for _ in 1:4]
@zero_allocations fold!(states, x; workspace=workspace)
@zero_allocations merge!(states, more)
@zero_allocations finish!(lse, states; flags=flags)

targets = Targets([[1, 2], [3], Int[], [4]])
@zero_allocations crossentropy!(lse, x, labels; grad=y, flags=flags, workspace=workspace)
@zero_allocations crossentropy!(nothing, x, targets; reduction=:sum, label_smoothing=0.1, workspace=workspace)
@zero_allocations ∇crossentropy!(y, 0.25, x, labels; workspace=workspace)

values, ids, x_ids = zeros(Float32, 5, 4), zeros(Int, 5, 4), repeat(1:1000, 1, 4)
@zero_allocations topk!(values, ids, x; workspace=workspace)
@zero_allocations topk!(nothing, ids, x; excluded=targets, workspace=workspace)
@zero_allocations topk_merge!(values, ids, x, x_ids; workspace=workspace)

hidden, weights, bias = randn(Float32, 8, 4), randn(Float32, 8, 1000), randn(Float32, 1000)
dh, dw, db = similar(hidden), similar(weights), similar(bias)
linear = Linear(weights; bias=bias)
packed = Linear(PackedWeights(weights); bias=bias)
@zero_allocations linear_logsumexp!(lse, hidden, linear; workspace=workspace)
@zero_allocations linear_logsumexp!(lse, hidden, packed; workspace=workspace)
@zero_allocations linear_crossentropy!(lse, hidden, linear, labels; grad_hidden=dh, grad_weights=dw, grad_bias=db, workspace=workspace)
@zero_allocations linear_topk!(values, ids, hidden, packed; workspace=workspace)

sampler = Sampler(:weights; weights=rand(1000))
drawn, log_q = draw(sampler, 9; rows=4)
@zero_allocations draw!(drawn, log_q, sampler; seed=3, unique=true, flags=flags, workspace=workspace)
@zero_allocations logq!(lse, sampler, labels; workspace=workspace)
candidates, sparse = Candidates(drawn, log_q), SparseRows(8, 40)
@zero_allocations sampled_loss!(lse, hidden, weights, labels, candidates; grad_hidden=dh, grad_rows=sparse, workspace=workspace)
@zero_allocations in_batch_softmax!(lse, hidden, hidden; workspace=workspace)
@zero_allocations sparse_update!(weights, sparse; lr=0.1)
