# SPDX-License-Identifier: Apache-2.0
# The calls of tests/vectors/bindings.txt give the same bits as in every other language.

module Vectors

using Test
using Vastmax
using Vastmax: Raw

const types = Dict("f32" => Float32, "bf16" => BFloat16, "f16" => Float16, "f64" => Float64, "i32" => Int32, "i64" => Int64, "u32" => UInt32,
                   "u8" => UInt8)

struct Case
    name::String
    call::String
    ins::Dict{String,Array}
    opts::Dict{String,String}
    outs::Dict{String,Array}
end

# Row-major r x c is c x r here.
function array(words)
    dims = Tuple(reverse(parse.(Int, split(words[4], 'x'))))
    bytes = words[5] == "-" ? UInt8[] : hex2bytes(words[5])
    return reshape(collect(reinterpret(types[words[3]], bytes)), dims)
end

function read_cases(path)
    cases = Case[]
    for line in eachline(path)
        words = String.(split(line))
        (isempty(words) || startswith(words[1], "#")) && continue
        if words[1] == "case"
            push!(cases, Case(words[2], "", Dict(), Dict(), Dict()))
        elseif words[1] == "call"
            cases[end] = Case(cases[end].name, words[2], cases[end].ins, cases[end].opts, cases[end].outs)
        elseif words[1] == "in"
            cases[end].ins[words[2]] = array(words)
        elseif words[1] == "opt"
            cases[end].opts[words[2]] = words[3]
        elseif words[1] == "out"
            cases[end].outs[words[2]] = array(words)
        else
            words[1] == "end" || error("what is \"$line\"?")
        end
    end
    return cases
end

integer(c, name, default=0) = parse(Int, get(c.opts, name, string(default)))
decimal(c, name, default=0.0) = parse(Float64, get(c.opts, name, string(default)))
flag(c, bit) = integer(c, "flags") & bit != 0
input(c, name) = get(c.ins, name, nothing)
# What is written begins as 0, or as the input of that name.
output(c, name) = !haskey(c.outs, name) ? nothing : haskey(c.ins, name) ? copy(c.ins[name]) : fill!(similar(c.outs[name]), 0)
# The file counts from 0; -100 is the label to ignore in both.
labels(::Nothing) = nothing
labels(a) = map(i -> i == -100 ? i : i + one(i), a)
temperature(c) = (t = input(c, "temperature"); t === nothing ? nothing : length(t) == 1 ? t[1] : t)
key(table, number) = first(k for (k, v) in pairs(table) if v == number)
reduction(c) = (:none, :sum, :mean)[integer(c, "reduction")+1]

function targets(c, name="targets")
    ids = labels(input(c, "$name.ids"))
    ends = labels(input(c, "$name.indptr"))
    return ends === nothing ? ids : Targets(ends, ids, input(c, "$name.weights"))
end

states(bytes) = collect(reinterpret(LseState, vec(bytes)))
shorts(values) = collect(reinterpret(LseShort, vec(values)))

entropy_options(c) = (label_smoothing=decimal(c, "label_smoothing"), softcap=decimal(c, "softcap"), z_loss=decimal(c, "z_loss"),
                      class_weight=input(c, "class_weight"), smooth_unmasked=flag(c, Raw.VMX_SMOOTH_UNMASKED), temperature=temperature(c))

function sampler(c, context)
    kind = key(Vastmax.sampler_kinds, integer(c, "sampler.kind"))
    options = Dict{Symbol,Any}(:context => context, :classes => integer(c, "sampler.classes"))
    for (name, type) in ("power" => Float64, "temperature" => Float64, "alpha" => Float64, "rate" => Float64, "codewords" => Int, "seed" => UInt64)
        haskey(c.opts, "sampler.$name") && (options[Symbol(name)] = parse(type, c.opts["sampler.$name"]))
    end
    for name in ("weights", "embeddings")
        haskey(c.ins, "sampler.$name") && (options[Symbol(name)] = c.ins["sampler.$name"])
    end
    return Sampler(kind; options...)
end

totals(result, names...) = Dict(name => [getfield(result, field)] for (name, field) in names)

# The results by their names in the file.
function run_case(c::Case, context)
    call = c.call
    out = Dict{String,Any}(name => output(c, name) for name in keys(c.outs))
    o(name) = get(out, name, nothing)
    x = input(c, "x")
    flags = o("row_flags")
    if call == "logsumexp"
        logsumexp!(o("lse"), x; temperature=temperature(c), flags=flags, context=context)
    elseif call in ("softmax", "log_softmax")
        operation = call == "softmax" ? softmax! : logsoftmax!
        operation(o("y"), x; temperature=temperature(c), precise=flag(c, Raw.VMX_PRECISE), zero_masked=flag(c, Raw.VMX_ZERO_MASKED), lse=o("lse"),
                  flags=flags, context=context)
    elseif call == "logsumexp_backward"
        ∇logsumexp!(o("grad_x"), input(c, "grad_lse"), x; lse=input(c, "lse"), temperature=temperature(c), context=context)
    elseif call in ("softmax_backward", "log_softmax_backward")
        operation = call == "softmax_backward" ? ∇softmax_data! : ∇logsoftmax_data!
        operation(o("grad_x"), input(c, "grad_y"), input(c, "y"); temperature=temperature(c), context=context)
    elseif call == "lse_fold"
        s = states(o("states"))
        fold!(s, x; offset=integer(c, "col_offset"), sums=flag(c, Raw.VMX_FOLD_SUMS), entropy=flag(c, Raw.VMX_FOLD_ENTROPY),
              temperature=temperature(c), class_weight=input(c, "class_weight"), skip=labels(input(c, "skip")), context=context)
        out["states"] = reshape(collect(reinterpret(UInt8, s)), size(c.outs["states"]))
    elseif call == "lse_merge"
        s = merge!(states(o("into")), states(input(c, "from")))
        out["into"] = reshape(collect(reinterpret(UInt8, s)), size(c.outs["into"]))
    elseif call == "lse_finish"
        finish!(o("lse"), states(input(c, "states")); entropy=o("entropy"), flags=flags, temperature=temperature(c))
    elseif call == "lse_shorten"
        out["out"] = reshape(collect(reinterpret(Float64, shorten(states(input(c, "states")); temperature=temperature(c)))), size(c.outs["out"]))
    elseif call == "lse_short_merge"
        out["into"] = reshape(collect(reinterpret(Float64, merge!(shorts(o("into")), shorts(input(c, "from"))))), size(c.outs["into"]))
    elseif call == "lse_short_finish"
        finish!(o("lse"), shorts(input(c, "states")))
    elseif call == "cross_entropy"
        result = crossentropy!(o("loss"), x, targets(c); z_losses=o("z_loss"), lse=o("lse"), grad=o("grad"), flags=flags,
                               reduction=reduction(c), grad_scale=decimal(c, "grad_scale", 1.0), context=context, entropy_options(c)...)
        merge!(out, totals(result, "total" => :total, "total_z_loss" => :z_loss, "total_weight" => :weight))
    elseif call == "cross_entropy_backward"
        ∇crossentropy!(o("grad"), input(c, "grad_loss"), x, targets(c); lse=input(c, "lse"), context=context, entropy_options(c)...)
    elseif call == "topk" || call == "linear_topk"
        options = (largest=!flag(c, Raw.VMX_TOPK_SMALLEST), sorted=!flag(c, Raw.VMX_TOPK_UNSORTED), offset=integer(c, "col_offset"),
                   excluded=targets(c, "excluded"), flags=flags, context=context)
        if call == "topk"
            topk!(o("values"), o("ids"), x; options...)
        else
            linear_topk!(o("values"), o("ids"), input(c, "hidden"), linear(c); options...)
        end
        out["ids"] = from_zero(out["ids"])
    elseif call == "topk_merge"
        topk_merge!(o("values"), o("ids"), input(c, "values_in"), input(c, "ids_in"); largest=!flag(c, Raw.VMX_TOPK_SMALLEST),
                    sorted=!flag(c, Raw.VMX_TOPK_UNSORTED), flags=flags, context=context)
    elseif call == "linear_logsumexp"
        linear_logsumexp!(o("lse"), input(c, "hidden"), linear(c); temperature=temperature(c), flags=flags, context=context)
    elseif call == "linear_cross_entropy"
        result = linear_crossentropy!(o("loss"), input(c, "hidden"), linear(c), targets(c); z_losses=o("z_loss"), lse=o("lse"), flags=flags,
                                      reduction=reduction(c), context=context, entropy_options(c)...)
        merge!(out, totals(result, "total" => :total, "total_z_loss" => :z_loss, "total_weight" => :weight))
    elseif call == "sampler_draw"
        draw!(ClassIds(zero_based=o("ids")), o("log_q"), sampler(c, context); hidden=input(c, "hidden"), unique=flag(c, Raw.VMX_DRAW_UNIQUE),
              counts=flag(c, Raw.VMX_DRAW_COUNTS), replace=flag(c, Raw.VMX_DRAW_REPLACE), seed=parse(UInt64, get(c.opts, "seed", "0")), step=integer(c, "step"),
              tries=o("tries"), flags=flags, context=context)
    elseif call == "sampler_log_q"
        tries = input(c, "tries")
        logq!(o("log_q"), sampler(c, context), targets(c, "classes"); hidden=input(c, "hidden"), draws=integer(c, "draws"),
              tries=tries !== nothing && length(tries) == 1 ? tries[1] : tries, context=context)
    elseif call == "sampler_observe"
        s = sampler(c, context)
        ids = labels(input(c, "ids"))
        for step in axes(ids, 2)
            observe!(s, ids[:, step], integer(c, "step") + step - 1)
        end
        logq!(o("log_q"), s, targets(c, "classes"); context=context)
    elseif call == "sampled_loss"
        rows = SparseRows(ClassIds(zero_based=o("grads.sparse.ids")), o("grads.sparse.rows"), o("grads.sparse.bias"); count=0)
        candidates = Candidates(ClassIds(zero_based=input(c, "candidates.ids")), input(c, "candidates.log_q");
                                target_log_q=input(c, "candidates.target_log_q"), identity=input(c, "candidates.identity"))
        result = sampled_loss!(o("loss"), input(c, "hidden"), input(c, "table"), targets(c), candidates; bias=input(c, "bias"),
            loss=key(Vastmax.sampled_losses, integer(c, "loss", 1)), correction=key(Vastmax.corrections, integer(c, "correction")),
            score=key(Vastmax.scores, integer(c, "score")), keep_hits=flag(c, Raw.VMX_SAMPLED_KEEP_HITS),
            joint=flag(c, Raw.VMX_SAMPLED_JOINT), reduction=reduction(c), temperature=decimal(c, "temperature", 1.0),
            margin=decimal(c, "margin", 0.4), negative_weight=decimal(c, "negative_weight", 1.0), grad_hidden=o("grads.hidden"),
            grad_rows=rows, grad_table=o("grads.table"), grad_bias=o("grads.bias"), grad_scale=decimal(c, "grad_scale", 1.0), flags=flags,
            context=context)
        out["grads.sparse.count"] = [rows.count]
        merge!(out, totals(result, "total" => :total, "total_weight" => :weight))
    elseif call == "in_batch_softmax"
        result = in_batch_softmax!(o("loss"), input(c, "queries"), input(c, "keys"); identity=input(c, "identity"), log_q=input(c, "log_q"),
            score=key(Vastmax.scores, integer(c, "score")), temperature=decimal(c, "temperature", 1.0), reduction=reduction(c),
            grad_queries=o("grad_queries"), grad_keys=o("grad_keys"), grad_scale=decimal(c, "grad_scale", 1.0), flags=flags, context=context)
        merge!(out, totals(result, "total" => :total, "total_weight" => :weight))
    elseif call == "sparse_update"
        grad = SparseRows(ClassIds(zero_based=input(c, "grad.ids")), input(c, "grad.rows"); count=integer(c, "grad.count"))
        sparse_update!(o("table"), grad; optimizer=key(Vastmax.optimizers, integer(c, "optimizer", 1)), mean=o("mean"), square=o("square"),
                       step=integer(c, "step", 1), lr=decimal(c, "lr", 0.001), beta1=decimal(c, "beta1", 0.9), beta2=decimal(c, "beta2", 0.999),
                       eps=decimal(c, "eps", 1e-8), weight_decay=decimal(c, "weight_decay"), context=context)
    else
        error("no such call: $call")
    end
    return out
end

linear(c) = Linear(input(c, "linear.weights"); bias=input(c, "linear.bias"))
from_zero(::Nothing) = nothing
from_zero(ids) = map(i -> i > 0 ? i - one(i) : i, ids)

bytes_of(a) = collect(reinterpret(UInt8, vec(a)))

const known_opts = Set(["col_offset", "correction", "draws", "flags", "grad.count", "grad_scale", "k", "label_smoothing", "loss", "lr", "beta1",
    "beta2", "eps", "margin", "negative_weight", "optimizer", "reduction", "sampler.alpha", "sampler.classes", "sampler.codewords", "sampler.kind",
    "sampler.power", "sampler.rate", "sampler.seed", "sampler.temperature", "score", "seed", "softcap", "step", "temperature", "weight_decay", "z_loss"])

end # module

cases = Vectors.read_cases(joinpath(vectors_dir, "bindings.txt"))
@test length(cases) >= 162
contexts = [nothing, Context(isa=:scalar), Context(threads=2), Context(threads=:julia)]
for case in cases
    @test issubset(keys(case.opts), Vectors.known_opts) # an option that is not read would be a case not run
    for context in contexts
        found = Vectors.run_case(case, context)
        for (name, wanted) in case.outs
            # eltype and shape are those of the buffers, which the file gives.
            @test (case.name, name, Vectors.bytes_of(found[name])) == (case.name, name, Vectors.bytes_of(wanted))
        end
    end
end
@test Set(case.call for case in cases) == Set(["cross_entropy", "cross_entropy_backward", "in_batch_softmax", "linear_cross_entropy",
    "linear_logsumexp", "linear_topk", "log_softmax", "log_softmax_backward", "logsumexp", "logsumexp_backward", "lse_finish", "lse_fold",
    "lse_merge", "lse_short_finish", "lse_short_merge", "lse_shorten", "sampled_loss", "sampler_draw", "sampler_log_q", "sampler_observe",
    "softmax", "softmax_backward", "sparse_update", "topk", "topk_merge"])
foreach(c -> c === nothing || close(c), contexts)
