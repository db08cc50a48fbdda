# SPDX-License-Identifier: Apache-2.0
# Rules of automatic differentiation: each pullback is one backward call of the library. Read inside a module that has Vastmax and
# ChainRulesCore: ext/VastmaxChainRulesCoreExt.jl, or the one that loadrules.jl makes.
#
# Keywords have no tangents in ChainRules: a bias has one as a field of Linear. A cotangent of another element type than the library
# takes is converted first.

const Zero = ChainRulesCore.AbstractZero
const NoTangent = ChainRulesCore.NoTangent

as_dense(T, a::AbstractArray) = eltype(a) === T && a isa Vastmax.KnownStrided ? a : Array{T}(a)
as_row_values(a::Number) = a
as_row_values(a::AbstractArray) = eltype(a) <: Union{Float32,Float64} && a isa Vastmax.KnownStrided ? a : Array{Float64}(a)

function ChainRulesCore.rrule(::typeof(Vastmax.logsumexp), x::AbstractArray; dims=:, temperature=nothing, flags=nothing, context=nothing,
                              workspace=nothing)
    lse = Vastmax.logsumexp(x; dims=dims, temperature=temperature, flags=flags, context=context, workspace=workspace)
    function logsumexp_pullback(cotangent)
        d = ChainRulesCore.unthunk(cotangent)
        d isa Zero && return (NoTangent(), d)
        return (NoTangent(), Vastmax.∇logsumexp(as_row_values(d), x; dims=dims, lse=lse, temperature=temperature, context=context,
                                                workspace=workspace))
    end
    return lse, logsumexp_pullback
end

for (operation, backward, pullback) in ((:softmax, :∇softmax_data, :softmax_pullback), (:logsoftmax, :∇logsoftmax_data, :logsoftmax_pullback))
    @eval function ChainRulesCore.rrule(::typeof(Vastmax.$operation), x::AbstractArray; dims=1, temperature=nothing, context=nothing,
                                        workspace=nothing, options...)
        y = Vastmax.$operation(x; dims=dims, temperature=temperature, context=context, workspace=workspace, options...)
        function $pullback(cotangent)
            d = ChainRulesCore.unthunk(cotangent)
            d isa Zero && return (NoTangent(), d)
            return (NoTangent(), Vastmax.$backward(as_dense(eltype(y), d), y; dims=dims, temperature=temperature, context=context,
                                                   workspace=workspace))
        end
        return y, $pullback
    end
end

function ChainRulesCore.rrule(::typeof(Vastmax.crossentropy), x::AbstractArray{T}, targets; reduction::Symbol=:mean, dims=1, flags=nothing,
                              z_loss=0, options...) where {T}
    reduction === :none && z_loss != 0 && Vastmax.throw_none()
    rows = Vastmax.row_count(Vastmax.rows_of("x", x, dims))
    R = Vastmax.result_type(T)
    lse = Vector{R}(undef, rows)
    loss = reduction === :none ? Vector{R}(undef, rows) : nothing
    totals = Vastmax.crossentropy!(loss, x, targets; reduction=reduction, dims=dims, flags=flags, lse=lse, z_loss=z_loss, options...)
    function crossentropy_pullback(cotangent)
        d = ChainRulesCore.unthunk(cotangent)
        d isa Zero && return (NoTangent(), d, NoTangent())
        dloss = reduction === :mean ? d / totals.weight : as_row_values(d)
        return (NoTangent(), Vastmax.∇crossentropy(dloss, x, targets; dims=dims, lse=lse, z_loss=z_loss, options...), NoTangent())
    end
    return reduction === :none ? loss : totals.total, crossentropy_pullback
end

@noinline no_rule(name) = throw(ArgumentError("$name with reduction = :none has no rule: use :sum or :mean"))

# The gradients are made with the loss, three products in all; they are those of a cotangent 1. For another one they are made again.
function with_gradients(run)
    totals, gradients = run(1.0)
    return totals.total, d -> d == 1 ? gradients : run(Float64(d))[2]
end

weights_tangent(::AbstractMatrix, dweights, dbias) = dweights
weights_tangent(::Vastmax.PackedWeights, dweights, dbias) = NoTangent()
weights_tangent(linear::Vastmax.Linear, dweights, dbias) = ChainRulesCore.Tangent{typeof(linear)}(; weights=dweights === nothing ? NoTangent() : dweights,
                                                                                                bias=dbias === nothing ? NoTangent() : dbias)

function ChainRulesCore.rrule(::typeof(Vastmax.linear_crossentropy), hidden::AbstractVecOrMat{T}, weights::Vastmax.Weights, targets;
                              reduction::Symbol=:mean, options...) where {T}
    reduction === :none && no_rule("linear_crossentropy")
    linear = Vastmax.Linear(weights)
    loss, gradients = with_gradients() do scale
        dhidden = Array{T}(undef, size(hidden))
        dweights = linear.weights === nothing ? nothing : Array{Float32}(undef, size(linear.weights))
        dbias = linear.bias === nothing ? nothing : Array{Float32}(undef, size(linear.bias))
        totals = Vastmax.linear_crossentropy!(nothing, hidden, linear, targets; reduction=reduction, grad_hidden=dhidden, grad_weights=dweights,
                                              grad_bias=dbias, grad_scale=scale, options...)
        return totals, (dhidden, weights_tangent(weights, dweights, dbias))
    end
    function linear_crossentropy_pullback(cotangent)
        d = ChainRulesCore.unthunk(cotangent)
        d isa Zero && return (NoTangent(), d, d, NoTangent())
        dhidden, dweights = gradients(d)
        return (NoTangent(), dhidden, dweights, NoTangent())
    end
    return loss, linear_crossentropy_pullback
end

function ChainRulesCore.rrule(::typeof(Vastmax.sampled_loss), hidden::AbstractVecOrMat{T}, table::AbstractMatrix, targets,
                              candidates::Vastmax.Candidates; reduction::Symbol=:mean, options...) where {T}
    reduction === :none && no_rule("sampled_loss")
    loss, gradients = with_gradients() do scale
        dhidden, dtable = Array{T}(undef, size(hidden)), zeros(Float32, size(table))
        totals = Vastmax.sampled_loss!(nothing, hidden, table, targets, candidates; reduction=reduction, grad_hidden=dhidden, grad_table=dtable,
                                       grad_scale=scale, options...)
        return totals, (dhidden, dtable)
    end
    function sampled_loss_pullback(cotangent)
        d = ChainRulesCore.unthunk(cotangent)
        d isa Zero && return (NoTangent(), d, d, NoTangent(), NoTangent())
        dhidden, dtable = gradients(d)
        return (NoTangent(), dhidden, dtable, NoTangent(), NoTangent())
    end
    return loss, sampled_loss_pullback
end

function ChainRulesCore.rrule(::typeof(Vastmax.in_batch_softmax), queries::AbstractMatrix{T}, keys::AbstractMatrix; reduction::Symbol=:mean,
                              options...) where {T}
    reduction === :none && no_rule("in_batch_softmax")
    loss, gradients = with_gradients() do scale
        dqueries, dkeys = Array{T}(undef, size(queries)), Array{T}(undef, size(keys))
        totals = Vastmax.in_batch_softmax!(nothing, queries, keys; reduction=reduction, grad_queries=dqueries, grad_keys=dkeys, grad_scale=scale,
                                           options...)
        return totals, (dqueries, dkeys)
    end
    function in_batch_softmax_pullback(cotangent)
        d = ChainRulesCore.unthunk(cotangent)
        d isa Zero && return (NoTangent(), d, d)
        dqueries, dkeys = gradients(d)
        return (NoTangent(), dqueries, dkeys)
    end
    return loss, in_batch_softmax_pullback
end

# Draws and their log q are constants of a step.
for constant in (:draw, :logq)
    @eval function ChainRulesCore.rrule(::typeof(Vastmax.$constant), arguments...; options...)
        return Vastmax.$constant(arguments...; options...), _ -> ntuple(_ -> NoTangent(), 1 + length(arguments))
    end
end
