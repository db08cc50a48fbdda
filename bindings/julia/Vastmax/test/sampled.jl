# SPDX-License-Identifier: Apache-2.0
rows, dim, V, m = 4, 6, 50, 9
hidden, table, bias = randn(Float32, dim, rows), randn(Float32, dim, V), randn(Float32, V)
targets = [3, 50, 17, 3]
sampler = Sampler(:weights; weights=rand(V))
ids, log_q = draw(sampler, m; rows=rows, seed=1)
shared_ids, shared_log_q = draw(sampler, m; seed=2)
per_row = Candidates(ids, log_q; target_log_q=logq(sampler, targets))
shared = Candidates(shared_ids, shared_log_q; target_log_q=logq(sampler, targets))

z(r, c) = sum(Float64.(hidden[:, r]) .* Float64.(table[:, c])) + bias[c]
negatives(candidates, r) = [i for i in CartesianIndices(candidates.ids) if (ndims(candidates.ids) == 1 || i[2] == r) && candidates.ids[i] != targets[r]]
softplus(x) = log1p(exp(-abs(x))) + max(x, 0)
function slow(loss, candidates, r)
    js, t = negatives(candidates, r), targets[r]
    zs = [z(r, candidates.ids[j]) for j in js]
    loss === :ranking && (zs = zs .- candidates.log_q[js])
    o = z(r, t) - (loss === :ranking ? candidates.target_log_q[r] : 0)
    loss in (:sampled_softmax, :ranking) && return big_logsumexp([o; zs]) - o
    loss === :neg && return softplus(-o) + sum(softplus, zs)
    loss === :bpr && return sum(softplus, zs .- o) / length(zs)
end

@testset "$loss, $(ndims(c.ids) == 1 ? "shared" : "per row")" for c in (per_row, shared), loss in (:sampled_softmax, :neg, :bpr)
    losses = sampled_loss(hidden, table, targets, c; loss=loss, bias=bias, reduction=:none)
    @test losses isa Vector{Float32}
    @test losses ≈ [slow(loss, c, r) for r in 1:rows] rtol = 1e-4
    @test sampled_loss(hidden, table, targets, c; loss=loss, bias=bias) ≈ sum(losses) / rows
end
@test sampled_loss(hidden, table, targets, per_row; correction=:ranking, bias=bias, reduction=:none) ≈ [slow(:ranking, per_row, r) for r in 1:rows] rtol = 1e-4

@testset "gradients: $name" for (name, options) in Dict("softmax" => (bias=bias,), "is" => (correction=:is,), "joint" => (joint=true, temperature=2),
                                                        "nce" => (loss=:nce,), "ccl" => (loss=:ccl, score=:cosine, negative_weight=2), "hits" => (keep_hits=true,))
    dh, dt, db = similar(hidden), zeros(Float32, size(table)), zeros(Float32, V)
    sparse = SparseRows(dim, V; bias=true)
    with_bias = haskey(options, :bias)
    result = sampled_loss!(nothing, hidden, table, targets, per_row; grad_hidden=dh, grad_table=dt, grad_bias=with_bias ? db : nothing, options...)
    @test result.weight == rows
    @test dh ≈ differences(h -> sampled_loss(h, table, targets, per_row; options...), hidden) rtol = 2e-2
    @test dt ≈ differences(t -> sampled_loss(hidden, t, targets, per_row; options...), table) rtol = 2e-2
    # The same as a list of rows.
    with_bias || (sparse = SparseRows(dim, V))
    sampled_loss!(nothing, hidden, table, targets, per_row; grad_rows=sparse, options...)
    n = sparse.count
    @test sparse.ids[1:n] == sort(unique([targets; vec(ids)]))
    dense = zeros(Float32, size(table))
    dense[:, sparse.ids[1:n]] = sparse.rows[:, 1:n]
    @test dense ≈ dt
    if with_bias
        @test (d = zeros(Float32, V); d[sparse.ids[1:n]] = sparse.bias[1:n]; d) ≈ db
    end
end

@testset "in batch" begin
    queries, keys = randn(Float32, dim, 7), randn(Float32, dim, 7)
    scores = keys' * queries
    @test in_batch_softmax(queries, keys) ≈ crossentropy(scores, 1:7 |> collect) rtol = 1e-5
    @test in_batch_softmax(queries, keys; reduction=:none, temperature=0.5) ≈ crossentropy(scores, collect(1:7); reduction=:none, temperature=0.5) rtol = 1e-5
    # Keys of one class are not each other's negatives.
    same = [1, 1, 2, 3, 4, 5, 6]
    masked = copy(scores)
    masked[2, 1] = masked[1, 2] = -Inf
    @test in_batch_softmax(queries, keys; identity=same) ≈ crossentropy(masked, collect(1:7)) rtol = 1e-5
    q = randn(Float32, 7)
    @test in_batch_softmax(queries, keys; log_q=q) ≈ crossentropy(scores .- q, collect(1:7)) rtol = 1e-5
    dq, dk = similar(queries), similar(keys)
    in_batch_softmax!(nothing, queries, keys; grad_queries=dq, grad_keys=dk)
    @test dq ≈ differences(x -> in_batch_softmax(x, keys), queries) rtol = 2e-2
    @test dk ≈ differences(x -> in_batch_softmax(queries, x), keys) rtol = 2e-2
end

@testset "sparse update" begin
    grad = SparseRows(ClassIds([2, 5]), Float32[1 2; 3 4; 5 6])
    w = randn(Float32, 3, 6)
    sgd = sparse_update!(copy(w), grad; lr=0.1, weight_decay=0.5)
    expected = copy(w)
    expected[:, [2, 5]] = w[:, [2, 5]] .* (1 - 0.1 * 0.5) .- 0.1 .* grad.rows
    @test sgd ≈ expected && same_bits(sgd[:, [1, 3, 4, 6]], w[:, [1, 3, 4, 6]])
    square = zeros(Float32, 3, 6)
    adagrad = sparse_update!(copy(w), grad; optimizer=:adagrad, square=square, lr=0.1)
    @test adagrad[:, 2] ≈ w[:, 2] .- 0.1 && square[:, 5] == grad.rows[:, 2] .^ 2
    mean, square = zeros(Float32, 3, 6), zeros(Float32, 3, 6)
    adam = sparse_update!(copy(w), grad; optimizer=:adam, mean=mean, square=square, lr=0.1)
    @test adam[:, 5] ≈ w[:, 5] .- 0.1 && mean[:, 2] ≈ 0.1f0 .* grad.rows[:, 1]
    # A bias is a table of one row, and only the first count are looked at.
    b = zeros(Float32, 6)
    g = SparseRows(ClassIds([2, 5, 1]), reshape(Float32[1, 2, 3], 1, :); count=2)
    sparse_update!(reshape(b, 1, :), g; lr=1)
    @test b == [0, -1, 0, 0, -2, 0]
end

@testset "bad input" begin
    @test occursin("grad_rows", message_of(() -> sampled_loss!(nothing, hidden, table, targets, per_row; grad_rows=SparseRows(dim, 1)), DimensionMismatch)) ||
          occursin("sparse", message_of(() -> sampled_loss!(nothing, hidden, table, targets, per_row; grad_rows=SparseRows(dim, 1)), DimensionMismatch))
    @test occursin("51", message_of(() -> sampled_loss(hidden, table, [1, 2, 3, 51], per_row), ArgumentError))
    @test occursin("log_q", message_of(() -> sampled_loss(hidden, table, targets, Candidates(ids); correction=:ranking), ArgumentError))
    @test occursin(":hinge", message_of(() -> sampled_loss(hidden, table, targets, per_row; loss=:hinge), ArgumentError))
    @test occursin("ClassIds", message_of(() -> Candidates([1, 2]), ArgumentError))
    @test_throws DimensionMismatch sampled_loss(hidden, table[1:5, :], targets, per_row)
    @test_throws DimensionMismatch in_batch_softmax(hidden, table)
    grad = SparseRows(ClassIds([5, 2]), ones(Float32, dim, 2))
    @test_throws ArgumentError sparse_update!(copy(table), grad)
    @test_throws ArgumentError sparse_update!(copy(table), SparseRows(ClassIds([51]), ones(Float32, dim, 1)))
    @test occursin("mean", message_of(() -> sparse_update!(copy(table), SparseRows(dim, 1); mean=copy(table)), ArgumentError))
    @test_throws DimensionMismatch sparse_update!(copy(table), SparseRows(ClassIds([1]), ones(Float32, dim, 3)))
    @test_throws ArgumentError sparse_update!(copy(table), SparseRows(ClassIds([1]), ones(Float32, dim, 1); count=2))
end

@testset "workspace size" begin
    size = sampled_loss_workspace_size(hidden, table, rows, per_row; grad_hidden=similar(hidden), grad_rows=SparseRows(dim, V))
    workspace = Workspace(size=size)
    held = capacity(workspace)
    sampled_loss!(nothing, hidden, table, targets, per_row; grad_hidden=similar(hidden), grad_rows=SparseRows(dim, V), workspace=workspace)
    @test capacity(workspace) == held
end
