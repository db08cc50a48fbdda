# SPDX-License-Identifier: Apache-2.0
# Draws of negative classes with their exact proposal probabilities.

const sampler_kinds = (uniform=Raw.VMX_SAMPLER_UNIFORM, log_uniform=Raw.VMX_SAMPLER_LOG_UNIFORM, weights=Raw.VMX_SAMPLER_WEIGHTS,
                       in_batch=Raw.VMX_SAMPLER_IN_BATCH, midx=Raw.VMX_SAMPLER_MIDX, quadratic=Raw.VMX_SAMPLER_QUADRATIC,
                       exact=Raw.VMX_SAMPLER_EXACT)

@inline seed_number(seed) = 0 <= seed <= typemax(UInt64) ? UInt64(seed) : throw_seed(seed)
@noinline throw_seed(seed) = throw(ArgumentError("seed = $seed: 0 to 2^64 - 1"))

"""
    Sampler(kind; classes, weights, power=1, embeddings, temperature=1, codewords=0, alpha=100, rate=0.01, seed=0, context=nothing)

Draws negative classes and tells their exact proposal probabilities `q`. A draw is a function of `(seed, step, row, place)` alone, the same on every ISA.

| kind | `q` | takes |
|---|---|---|
| `:uniform` | `1/V` | `classes` |
| `:log_uniform` | `log((k+1)/k) / log(V+1)` of class `k`: classes sorted by falling frequency | `classes` |
| `:weights` | `w^power / sum(w.^power)` by an alias table | `weights`: `Float32`, `Float64`, `Int32` or `Int64`; `power` |
| `:in_batch` | an estimate from what [`observe!`](@ref) saw; draws nothing | `classes`, `rate` in (0, 1] |
| `:midx` | softmax of quantised scores, by an inverted multi-index | `embeddings`, `temperature`, `codewords` (0: chosen by the classes), `seed` |
| `:quadratic` | proportional to `alpha (h·w/T)^2 + 1`, by a tree | `embeddings`, `temperature`, `alpha` |
| `:exact` | the softmax itself, by Gumbel top-k over all scores | `embeddings`, `temperature` |

`embeddings` are `dim×classes`, `Float32` or [`BFloat16`](@ref); `:exact` keeps them in view: they must not be resized. `classes` is known from `weights` or
`embeddings`. Options of other kinds are an `ArgumentError`, as is a negative or non-finite weight.

Freed by the garbage collector, or by `close`. Immutable but for [`update!`](@ref) and [`observe!`](@ref), which must not run beside another call on it.

```jldoctest
julia> sampler = Sampler(:uniform; classes=1000)
Sampler(:uniform, 1000 classes)

julia> ids, log_q = draw(sampler, 3; seed=7);

julia> all(1 .<= ids .<= 1000) && log_q ≈ fill(-log(1000), 3)
true
```
"""
mutable struct Sampler
    pointer::Ptr{Raw.vmx_sampler}
    kind::Symbol
    classes::Int
    embeddings::Any # what :exact has in view
end
function Sampler(kind::Symbol; classes::Maybe{Integer}=nothing, weights::Maybe{AbstractVector}=nothing, embeddings::Maybe{AbstractMatrix}=nothing,
                 context=nothing, codewords::Integer=0, power::Real=1.0, temperature::Real=1.0, alpha::Real=100.0, rate::Real=0.01, seed::Integer=0)
    haskey(sampler_kinds, kind) || throw(ArgumentError("kind = :$kind: :$(join(keys(sampler_kinds), ", :"))"))
    V = classes !== nothing ? Int(classes) : weights !== nothing ? length(weights) : embeddings !== nothing ? size(embeddings, 2) :
        throw(ArgumentError("classes is wanted by a sampler without weights or embeddings"))
    out = Ref(Ptr{Raw.vmx_sampler}(C_NULL))
    GC.@preserve weights embeddings context begin
        options = Ref(Raw.vmx_sampler_options(kind=sampler_kinds[kind], codewords=codewords, classes=V,
            weights=vector_field(plain_vector("weights", weights)), power=power, embeddings=matrix_field(list_rows("embeddings", embeddings, 1)),
            temperature=temperature, alpha=alpha, rate=rate, seed=seed_number(seed)))
        @check(context, Raw.vmx_sampler_create(handle(context), options, out))
    end
    return finalizer(close, Sampler(out[], kind, V, kind === :exact ? embeddings : nothing))
end

function Base.close(sampler::Sampler)
    if sampler.pointer != C_NULL
        Raw.vmx_sampler_destroy(sampler.pointer)
        sampler.pointer = C_NULL
        sampler.embeddings = nothing
    end
    return nothing
end
Base.isopen(sampler::Sampler) = sampler.pointer != C_NULL
Base.show(io::IO, sampler::Sampler) =
    print(io, "Sampler(:", sampler.kind, ", ", sampler.classes, " classes", isopen(sampler) ? "" : ", closed", ")")
@inline sampler_pointer(sampler::Sampler) = isopen(sampler) ? sampler.pointer : throw_closed("sampler")

nbytes(sampler::Sampler) = GC.@preserve sampler Int(Raw.vmx_sampler_size(sampler_pointer(sampler)))

"""
    update!(sampler, embeddings; ids=nothing, context=nothing) -> sampler

Takes new embeddings of the same size: `:midx` quantises again from the codebooks at hand, `:quadratic` sums its tree again, `:exact` keeps the new ones
in view. With `ids` (`:quadratic` only) only these classes, counted from 1, have changed. `VastmaxError` for a kind without embeddings.
"""
function update!(sampler::Sampler, embeddings::AbstractMatrix; ids=nothing, context=nothing)
    GC.@preserve sampler embeddings ids context begin
        list = ids === nothing ? C_NULL : Ref(ids_field("ids", ids))
        @check(context, Raw.vmx_sampler_update(handle(context), sampler_pointer(sampler), matrix_ref(rows_of("embeddings", embeddings, 1)), list))
        sampler.kind === :exact && (sampler.embeddings = embeddings)
    end
    return sampler
end

"""
    observe!(sampler, ids, step) -> sampler

Tells an `:in_batch` sampler the classes, counted from 1, in the batch of that step. Steps do not fall; a batch may come in parts; a repeat within
a step counts once. `q` then estimates a class's probability to be in a batch.

```jldoctest
julia> sampler = Sampler(:in_batch; classes=3, rate=0.5);

julia> for step in 0:9
           observe!(sampler, isodd(step) ? [1, 2] : [1], step)
       end

julia> exp.(logq(sampler, [1, 2])) ≈ [1.0, 0.5]
true
```
"""
function observe!(sampler::Sampler, ids, step::Integer)
    GC.@preserve sampler ids check(Raw.vmx_sampler_observe(sampler_pointer(sampler), Ref(ids_field("ids", ids)), step))
    return sampler
end

"""
    draw(sampler, m; hidden=nothing, rows=nothing, unique=false, counts=false, replace=false, seed=0, step=0, index=Int, tries=nothing,
         flags=nothing, context=nothing, workspace=nothing) -> (ids, log_q)

Draws `m` classes for all rows together, or for each row.

  * `hidden`: `dim×rows` (`:midx`, `:quadratic`, `:exact`: one list for each column); `nothing` for the others, which draw one list for all, or
    `rows` lists.
  * `unique`: without replacement: repeats are drawn again (`:exact` always does, unless `replace`).
  * `counts`: `log_q` receives log expected counts instead.
  * `seed`, `step` (in `[0, 2^56)`): another step gives independent draws.
  * `tries`: a contiguous vector of `Int64`, one for each list, written: draws made, repeats included.
  * `flags`: as in [`logsumexp`](@ref), one for each list.

Returns `ids`, [`ClassIds`](@ref) (vector of `m`, or `m×rows`), as drawn, and `log_q` of that size, `Float32`. If `unique` and fewer than `m` classes have `q > 0`, the
rest has id 0 and `log_q` `-Inf` ([`ROW_UNDERFULL`](@ref)); a row of `hidden` with `NaN` has ids 0 and `log_q` `NaN`. `ArgumentError` for `unique` with `m` above the classes;
`VastmaxError` for `:in_batch`.

```jldoctest
julia> sampler = Sampler(:weights; weights=[4, 0, 1, 1]);

julia> ids, log_q = draw(sampler, 3; unique=true, seed=1);

julia> sort(ids)
3-element Array{Int64,1}:
 1
 3
 4
```
"""
function draw(sampler::Sampler, m::Integer; hidden=nothing, rows::Maybe{Integer}=nothing, index::Type{<:ClassInt}=Int, options...)
    m >= 0 || throw(ArgumentError("m = $m: at least 0"))
    hidden === nothing || rows === nothing || throw(ArgumentError("rows beside hidden, which tells how many"))
    size_of_result = hidden !== nothing ? swap_size(hidden, 1, m) : rows === nothing ? (Int(m),) : (Int(m), Int(rows))
    ids = ClassIds{index}(undef, size_of_result...)
    log_q = Array{Float32}(undef, size_of_result)
    return draw!(ids, log_q, sampler; hidden=hidden, options...)
end

"""
    draw!(ids, log_q, sampler; options...) -> (ids, log_q)

[`draw`](@ref) into `ids`, [`ClassIds`](@ref), and `log_q` (`Float32`, or `nothing`), vectors of `m` or `m×rows`.
"""
@inline function draw!(ids::ClassIds, log_q, sampler::Sampler; hidden=nothing, unique::Bool=false, counts::Bool=false, replace::Bool=false, seed::Integer=0,
               step::Integer=0, tries=nothing, flags=nothing, context=nothing, workspace=nothing)
    zero_based = parent(ids)
    rows = one_matrix("ids", rows_of("ids", zero_based, 1))
    bits = (unique ? Raw.VMX_DRAW_UNIQUE : UInt32(0)) | (counts ? Raw.VMX_DRAW_COUNTS : UInt32(0)) | (replace ? Raw.VMX_DRAW_REPLACE : UInt32(0))
    GC.@preserve zero_based log_q sampler hidden tries flags context workspace begin
        @check(context, Raw.vmx_sampler_draw(handle(context), scratch(workspace), sampler_pointer(sampler), matrix_ref(list_rows("hidden", hidden, 1)),
            matrix_ref(rows), matrix_ref(list_rows("log_q", log_q, 1)), plain("tries", per_row("tries", tries, rows.sizes, 1), Int64),
            plain("flags", per_row("flags", flags, rows.sizes, 1), UInt32), Ref(Raw.vmx_draw_options(flags=bits, seed=seed_number(seed), step=step))))
    end
    return (ids=ids, log_q=log_q)
end

"""
    logq(sampler, classes; hidden=nothing, draws=0, tries=nothing, context=nothing, workspace=nothing) -> Vector{Float32}

Log `q` of given classes, as for the labels of a batch: one for each class of `classes` (an array with one, counted from 1, for each row, or [`Targets`](@ref)).

  * `hidden`: as in [`draw`](@ref): column `r` belongs to list `r`.
  * `draws`: 0 for log `q`; `m > 0` for log expected counts of `m` draws: with replacement, or with `tries` without.
  * `tries`: `nothing`, or as `draw` gave: a vector of `Int64` with one for each row, or a number for all.

`-Inf` for a class that is never drawn, `NaN` in rows with `NaN` or `+Inf`. `ArgumentError` for a class out of range.

```jldoctest
julia> logq(Sampler(:uniform; classes=4), [1, 4]) ≈ [-log(4), -log(4)]
true
```
"""
logq(sampler::Sampler, classes::Labels; options...) = logq!(Vector{Float32}(undef, label_count(classes)), sampler, classes; options...)

"""
    logq!(log_q, sampler, classes; options...) -> log_q

[`logq`](@ref) into `log_q`, a vector of `Float32` or `Float64`.
"""
@inline function logq!(log_q::AbstractVector, sampler::Sampler, classes::Labels; hidden=nothing, draws::Integer=0, tries=nothing, context=nothing,
               workspace=nothing)
    lists = classes isa Targets ? length(classes.ends) - 1 : length(classes)
    held = tries isa Integer ? Ref(Int64(tries)) : tries
    GC.@preserve log_q sampler classes hidden held context workspace begin
        t = per_row("tries", held, (lists,), nothing)
        t === nothing || of_type("tries", t, Int64)
        @check(context, Raw.vmx_sampler_log_q(handle(context), scratch(workspace), sampler_pointer(sampler), matrix_ref(list_rows("hidden", hidden, 1)),
            Ref(csr_field("classes", classes)), draws, t === nothing ? C_NULL : t.data, t === nothing ? 0 : t.strides[1],
            vector_ref(plain_vector("log_q", log_q))))
    end
    return log_q
end
