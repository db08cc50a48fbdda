# SPDX-License-Identifier: Apache-2.0
# Losses over each row's targets and sampled negatives, and sparse updates of a table.

const sampled_losses = (sampled_softmax=Raw.VMX_LOSS_SAMPLED_SOFTMAX, nce=Raw.VMX_LOSS_NCE, neg=Raw.VMX_LOSS_NEG, bpr=Raw.VMX_LOSS_BPR,
                        ccl=Raw.VMX_LOSS_CCL)
const corrections = (none=Raw.VMX_CORRECT_NONE, ranking=Raw.VMX_CORRECT_RANKING, is=Raw.VMX_CORRECT_IS, counts=Raw.VMX_CORRECT_COUNTS)
const scores = (dot=Raw.VMX_SCORE_DOT, cosine=Raw.VMX_SCORE_COSINE)
const optimizers = (sgd=Raw.VMX_SGD, adagrad=Raw.VMX_ADAGRAD, adam=Raw.VMX_ADAM)
@inline named(name, table, key::Symbol) = haskey(table, key) ? table[key] : throw_name(name, table, key)
@noinline throw_name(name, table, key) = throw(ArgumentError("$name = :$key: :$(join(keys(table), ", :"))"))

"""
    Candidates(ids, log_q=nothing; target_log_q=nothing, identity=nothing)

The negatives of a sampled loss.

  * `ids`: [`ClassIds`](@ref), as [`draw`](@ref) gives: a vector shared by all rows, or `m×rows`. 0 is an empty slot; a repeated class counts as often as it stands there.
  * `log_q`: `Float32`, of the size of `ids`: log `q`, or log expected counts where the loss wants those; `nothing` if it wants none.
  * `target_log_q`: the same of each target, a vector of `Float32` in the order of the targets.
  * `identity`: one `Int32` or `Int64` for each class: classes with equal numbers are one when hits are looked for; `nothing`: each is its own.
"""
struct Candidates{I<:ClassIds,Q<:Maybe{AbstractArray},T<:Maybe{AbstractVector},D<:Maybe{AbstractVector{<:ClassInt}}}
    ids::I
    log_q::Q
    target_log_q::T
    identity::D
end
Candidates(ids::ClassIds, log_q=nothing; target_log_q=nothing, identity=nothing) = Candidates(ids, log_q, target_log_q, identity)
Candidates(ids::AbstractArray, log_q=nothing; options...) =
    throw(ArgumentError("ids is a $(typeof(ids)): ClassIds(ids) copies classes counted from 1 into what the library reads"))
Base.show(io::IO, c::Candidates) = print(io, "Candidates(", join(size(c.ids), "×"), c.log_q === nothing ? "" : ", with log_q", ")")

@inline candidates_field(c::Candidates) = Raw.vmx_candidates(ids=matrix(rows_of("candidates.ids", parent(c.ids), 1)),
    log_q=matrix_field(list_rows("candidates.log_q", c.log_q, 1)),
    target_log_q=vector_field(plain_vector("candidates.target_log_q", c.target_log_q)), identity=ids_field("candidates.identity", c.identity))

"""
    SparseRows(dim, capacity; bias=false)
    SparseRows(ids, rows, bias=nothing; count=length(ids))

Gradient of a table whose other rows have none: its first `count` entries of `ids` ([`ClassIds`](@ref), rising, each once), of the columns of `rows` (`dim×capacity`, `Float32`), and of
`bias` (`Float32`, or `nothing`). A loss writes all of them; `min(classes, all ids of the call)` is capacity enough. The gradient of a bias is one of a
table of `dim` 1: `SparseRows(g.ids, reshape(g.bias, 1, :); count=g.count)`.

```jldoctest
julia> SparseRows(2, 10)
SparseRows(0 of 10 rows of 2)
```
"""
mutable struct SparseRows{I<:ClassIds{Int64,1},R<:AbstractMatrix{Float32},B<:Maybe{AbstractVector{Float32}}}
    ids::I
    rows::R
    bias::B
    count::Int
end
SparseRows(dim::Integer, capacity::Integer; bias::Bool=false) = SparseRows(ClassIds{Int64}(undef, capacity), Matrix{Float32}(undef, dim, capacity),
                                                                           bias ? Vector{Float32}(undef, capacity) : nothing, 0)
SparseRows(ids::ClassIds, rows::AbstractMatrix, bias=nothing; count::Integer=length(ids)) = SparseRows(ids, rows, bias, Int(count))
Base.show(io::IO, g::SparseRows) = print(io, "SparseRows(", g.count, " of ", size(g.rows, 2), " rows of ", size(g.rows, 1), ")")

# C takes ids and bias by plain pointers, as long as rows has columns.
@inline function sparse_field(name, g::SparseRows)
    capacity = size(g.rows, 2)
    length(g.ids) == capacity || throw_length(string(name, ".ids"), length(g.ids), capacity, string(name, ".rows, in columns,"))
    g.bias === nothing || length(g.bias) == capacity ||
        throw_length(string(name, ".bias"), length(g.bias), capacity, string(name, ".rows, in columns,"))
    0 <= g.count <= capacity || throw_count(name, g.count, capacity)
    return Raw.vmx_sparse_rows(ids=plain("ids of SparseRows", plain_vector("ids of SparseRows", parent(g.ids)), Int64),
        rows=matrix(rows_of("rows of SparseRows", g.rows, 1)), bias=plain("bias of SparseRows", plain_vector("bias of SparseRows", g.bias), Float32),
        count=g.count)
end
@noinline throw_count(name, found, capacity) = throw(ArgumentError("$name.count = $found: 0 to $capacity"))

@inline sampled_options(loss, correction, score, keep_hits, joint, reduction, temperature, margin, negative_weight, memory_limit) =
    Raw.vmx_sampled_options(loss=named("loss", sampled_losses, loss), correction=named("correction", corrections, correction),
        score=named("score", scores, score),
        flags=(keep_hits ? Raw.VMX_SAMPLED_KEEP_HITS : UInt32(0)) | (joint ? Raw.VMX_SAMPLED_JOINT : UInt32(0)),
        reduction=reduction_number(reduction), temperature=temperature, margin=margin, negative_weight=negative_weight, memory_limit=limit_number(memory_limit))

"""
    sampled_loss(hidden, table, targets, candidates; loss=:sampled_softmax, correction=:none, score=:dot, bias=nothing, keep_hits=false, joint=false,
                 reduction=:mean, temperature=1, margin=0.4, negative_weight=1, memory_limit=0, flags=nothing, context=nothing, workspace=nothing)

A loss over each row's targets `t` (weights `w_t`) and its negatives `j`, with `z = (hidden · table + bias)/T`, or `(cosine + bias)/T` for `score=:cosine`:

| `loss` | formula |
|---|---|
| `:sampled_softmax` | `o` the corrected `z`: `sum_t w_t (log(e^o_t + sum_j e^o_j) - o_t)`; with `joint` all targets of the row stand in one denominator |
| `:nce` | `D = z - log(expected count)`: `sum_t w_t (softplus(-D_t) + sum_j softplus(D_j))` |
| `:neg` | the same with `D = z` |
| `:bpr` | `sum_t w_t mean_j softplus(z_j - z_t)` |
| `:ccl` | `sum_t w_t (1 - z_t + negative_weight * mean_j max(0, z_j - margin))` |

  * `hidden`: `dim×rows` (or a vector: one row), `table`: `dim×classes`: `Float32`, or [`BFloat16`](@ref) both. `bias`: `Float32`, one for each class.
  * `targets`: as in [`crossentropy`](@ref), without `ignore_index`. `candidates`: [`Candidates`](@ref).
  * `correction` of the sampled softmax: `:none`; `:ranking` (log `q` off target and negatives); `:is` (log of `m q` off the negatives); `:counts` (the log expected counts that
    `log_q` holds, off both).
  * `keep_hits`: candidates that are a target of their row stay, else they are left out.
  * `reduction`, `flags` as in `crossentropy`; `memory_limit` as in [`Linear`](@ref).

Returns a `Float64`, or for `reduction=:none` a vector of `Float32`. Nothing it costs depends on the number of classes. `NaN` or `+Inf` in a row's scores give `NaN`.
`ArgumentError` for a class out of range, or a `log_q` that is missing or not finite; `VastmaxError` for shared candidates in a build without oneDNN.

```jldoctest
julia> hidden, table = zeros(Float32, 4, 2), ones(Float32, 4, 10);

julia> negatives = Candidates(ClassIds([3 5; 4 6; 7 8]));

julia> sampled_loss(hidden, table, [1, 2], negatives) ≈ log(4)
true
```
"""
@inline function sampled_loss(hidden::AbstractVecOrMat, table::AbstractMatrix, targets, candidates::Candidates; reduction::Symbol=:mean, options...)
    if reduction === :none
        loss = Vector{Float32}(undef, size(hidden, 2))
        sampled_loss!(loss, hidden, table, targets, candidates; reduction=reduction, options...)
        return loss
    end
    return sampled_loss!(nothing, hidden, table, targets, candidates; reduction=reduction, options...).total
end

"""
    sampled_loss!(losses, hidden, table, targets, candidates; grad_hidden=nothing, grad_rows=nothing, grad_table=nothing, grad_bias=nothing,
                  grad_scale=1, options...) -> (total, weight)

[`sampled_loss`](@ref) into `losses` (a vector of `Float32`, or `nothing`), with gradients of the total, times `grad_scale`, into what is given:

  * `grad_hidden`: of the size of `hidden`, `Float32` or its element type; overwritten.
  * `grad_rows`: [`SparseRows`](@ref), the gradient of the table as a list of rows; overwritten. `DimensionMismatch`, before any write, if it has not room.
  * `grad_table` (`dim×classes`), `grad_bias` (`classes`): `Float32`, added to.

Returns the sum or mean of the losses and the sum of the targets' weights.

```jldoctest
julia> hidden, table = Float32[1, 0], zeros(Float32, 2, 5);

julia> grad = SparseRows(2, 3);

julia> sampled_loss!(nothing, hidden, table, [2], Candidates(ClassIds([5])); grad_rows=grad).total ≈ log(2)
true

julia> grad.ids[1:grad.count], grad.rows[:, 1:grad.count]
([2, 5], Float32[-0.5 0.5; 0.0 0.0])
```
"""
@inline function sampled_loss!(losses, hidden::AbstractVecOrMat, table::AbstractMatrix, targets, candidates::Candidates; loss::Symbol=:sampled_softmax,
                       correction::Symbol=:none, score::Symbol=:dot, bias=nothing, keep_hits::Bool=false, joint::Bool=false,
                       reduction::Symbol=:mean, temperature::Real=1.0, margin::Real=0.4, negative_weight::Real=1.0, memory_limit::Integer=0,
                       grad_hidden=nothing, grad_rows::Maybe{SparseRows}=nothing, grad_table=nothing, grad_bias=nothing, grad_scale::Real=1.0,
                       flags=nothing, context=nothing, workspace=nothing)
    rows = hidden_rows(hidden)
    totals = Totals(0.0, 0.0, 0.0)
    GC.@preserve losses hidden table targets candidates bias grad_hidden grad_rows grad_table grad_bias flags totals context workspace begin
        total, _, weight = total_pointers(totals)
        sparse = Ref(grad_rows === nothing ? Raw.vmx_sparse_rows() : sparse_field("grad_rows", grad_rows))
        GC.@preserve sparse begin
            grads = Raw.vmx_sampled_grads(hidden=matrix_field(list_rows("grad_hidden", grad_hidden, 1)),
                sparse=grad_rows === nothing ? C_NULL : Base.unsafe_convert(Ptr{Raw.vmx_sparse_rows}, sparse),
                table=matrix_field(list_rows("grad_table", grad_table, 1)), bias=vector_field(plain_vector("grad_bias", grad_bias)))
            out = Raw.vmx_sampled_out(loss=vector_field(per_row("losses", losses, rows.sizes, 1)), total=total, total_weight=weight,
                row_flags=plain("flags", per_row("flags", flags, rows.sizes, 1), UInt32), grad_scale=grad_scale)
            options = sampled_options(loss, correction, score, keep_hits, joint, reduction, temperature, margin, negative_weight, memory_limit)
            @check(context, Raw.vmx_sampled_loss(handle(context), scratch(workspace), matrix_ref(rows), matrix_ref(rows_of("table", table, 1)),
                vector_ref(plain_vector("bias", bias)), Ref(csr_field("targets", targets)), Ref(candidates_field(candidates)), Ref(out),
                Ref(grads), Ref(options)))
            grad_rows === nothing || (grad_rows.count = sparse[].count)
        end
    end
    return (total=totals.total, weight=totals.weight)
end

"""
    in_batch_softmax(queries, keys; identity=nothing, log_q=nothing, score=:dot, temperature=1, reduction=:mean, memory_limit=0, flags=nothing,
                     context=nothing, workspace=nothing)

In-batch softmax (InfoNCE): column `i` of `queries` belongs to column `i` of `keys` (`dim×rows` both, `Float32`, or [`BFloat16`](@ref) both), and the other keys are its negatives.

  * `identity`: `Int32` or `Int64`, which class each key is: other keys of row `i`'s own class are left out; `nothing`: all differ.
  * `log_q`: `Float32`, log probability of each key to be in a batch (see [`observe!`](@ref)), taken off all scores.
  * the others as for [`sampled_loss`](@ref), whose results and errors it shares.

```jldoctest
julia> in_batch_softmax(zeros(Float32, 3, 8), ones(Float32, 3, 8)) ≈ log(8)
true
```
"""
@inline function in_batch_softmax(queries::AbstractMatrix, keys::AbstractMatrix; reduction::Symbol=:mean, options...)
    if reduction === :none
        loss = Vector{Float32}(undef, size(queries, 2))
        in_batch_softmax!(loss, queries, keys; reduction=reduction, options...)
        return loss
    end
    return in_batch_softmax!(nothing, queries, keys; reduction=reduction, options...).total
end

"""
    in_batch_softmax!(losses, queries, keys; grad_queries=nothing, grad_keys=nothing, grad_scale=1, options...) -> (total, weight)

[`in_batch_softmax`](@ref) into `losses` (a vector of `Float32`, or `nothing`), with gradients of the total, times `grad_scale`, into arrays of the size of
`queries` and `keys`, `Float32` or their element type; overwritten.
"""
@inline function in_batch_softmax!(losses, queries::AbstractMatrix, keys::AbstractMatrix; identity=nothing, log_q=nothing, score::Symbol=:dot, temperature::Real=1.0,
                           reduction::Symbol=:mean, memory_limit::Integer=0, grad_queries=nothing, grad_keys=nothing, grad_scale::Real=1.0,
                           flags=nothing, context=nothing, workspace=nothing)
    rows = rows_of("queries", queries, 1)
    totals = Totals(0.0, 0.0, 0.0)
    GC.@preserve losses queries keys identity log_q grad_queries grad_keys flags totals context workspace begin
        total, _, weight = total_pointers(totals)
        out = Raw.vmx_sampled_out(loss=vector_field(per_row("losses", losses, rows.sizes, 1)), total=total, total_weight=weight,
            row_flags=plain("flags", per_row("flags", flags, rows.sizes, 1), UInt32), grad_scale=grad_scale)
        options = sampled_options(:sampled_softmax, :none, score, false, false, reduction, temperature, 0.4, 1.0, memory_limit)
        @check(context, Raw.vmx_in_batch_softmax(handle(context), scratch(workspace), matrix_ref(rows), matrix_ref(rows_of("keys", keys, 1)),
            identity === nothing ? C_NULL : Ref(ids_field("identity", identity)), vector_ref(plain_vector("log_q", log_q)), Ref(out),
            matrix_ref(list_rows("grad_queries", grad_queries, 1)), matrix_ref(list_rows("grad_keys", grad_keys, 1)), Ref(options)))
    end
    return (total=totals.total, weight=totals.weight)
end

"""
    sparse_update!(table, grad; optimizer=:sgd, mean=nothing, square=nothing, step=1, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0,
                   context=nothing) -> table

One step of an optimizer on the columns of `table` (`dim×classes`, `Float32` or [`BFloat16`](@ref)) that `grad` ([`SparseRows`](@ref)) names; others and their moments stay as they are.

  * `:sgd`: `w -= lr g`. `:adagrad`: `square += g^2; w -= lr g / (sqrt(square) + eps)`. `:adam`: lazy Adam, with `mean`, `square` and `step` from 1.
  * `mean`, `square`: `Float32`, of the size of `table`, zero at first; `nothing` where the optimizer has none (else `ArgumentError`).
  * `weight_decay`: decoupled: first `w -= lr*weight_decay*w`.

`NaN` and infinities go into the elements they belong to alone. `ArgumentError` for a class out of range or ids that do not rise. Allocates nothing.

```jldoctest
julia> table = ones(Float32, 2, 3);

julia> sparse_update!(table, SparseRows(ClassIds([2]), Float32[1 2]' .+ 0); lr=0.5)
2×3 Array{Float32,2}:
 1.0  0.5  1.0
 1.0  0.0  1.0
```
"""
@inline function sparse_update!(table::AbstractMatrix, grad::SparseRows; optimizer::Symbol=:sgd, mean=nothing, square=nothing, step::Integer=1, lr::Real=0.001,
                        beta1::Real=0.9, beta2::Real=0.999, eps::Real=1e-8, weight_decay::Real=0.0, context=nothing)
    GC.@preserve table grad mean square context begin
        options = Raw.vmx_update_options(optimizer=named("optimizer", optimizers, optimizer), step=step, lr=lr, beta1=beta1, beta2=beta2, eps=eps,
                                         weight_decay=weight_decay)
        @check(context, Raw.vmx_sparse_update(handle(context), Ref(sparse_field("grad", grad)), matrix_ref(rows_of("table", table, 1)),
            matrix_ref(list_rows("mean", mean, 1)), matrix_ref(list_rows("square", square, 1)), Ref(options)))
    end
    return table
end
