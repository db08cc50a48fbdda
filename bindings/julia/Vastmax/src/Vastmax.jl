# SPDX-License-Identifier: Apache-2.0
"""
The softmax family over very many classes, on CPUs: log-sum-exp, softmax, cross-entropy and top-k of given scores or straight from
hidden vectors and weights, sampled losses with their samplers, and sparse updates. Classes run along the first dimension, so a
`V×n` matrix is `n` rows of `V` classes and is read in place. All numbers are computed by the C library `libvastmax`; the same
input gives the same bits on every ISA and with any number of threads.

```jldoctest
julia> using Vastmax

julia> logsumexp(Float32[0, 0, 0, 0])
1.3862944f0
```
"""
module Vastmax

using Libdl: Libdl
using LinearAlgebra: Adjoint, Transpose

include("raw.jl")
include("errors.jl")
include("library.jl")
include("bfloat16.jl")
include("views.jl")
include("context.jl")
include("softmax.jl")

export logsumexp, logsumexp!, softmax, softmax!, logsoftmax, logsoftmax!, ∇logsumexp, ∇logsumexp!, ∇softmax_data, ∇softmax_data!,
       ∇logsoftmax_data, ∇logsoftmax_data!, BFloat16, Context, Workspace, reserve!, capacity, VastmaxError, ROW_EMPTY, ROW_NAN, ROW_INF,
       ROW_UNDERFULL

function __init__()
    load_library()
end

end # module
