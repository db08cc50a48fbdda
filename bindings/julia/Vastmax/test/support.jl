# SPDX-License-Identifier: Apache-2.0
# Slow, obvious counterparts in Float64.

big_logsumexp(x) = isempty(x) ? -Inf : (m = maximum(x); m == -Inf ? -Inf : m + log(sum(exp.(Float64.(x) .- m))))
slow_softmax(x; dims=1) = mapslices(v -> exp.(Float64.(v) .- big_logsumexp(v)), x; dims=dims)

same_bits(a::AbstractArray, b::AbstractArray) = size(a) == size(b) && eltype(a) == eltype(b) && all(a .=== b)

# The gradient of a scalar function, by central differences.
function differences(f, x::AbstractArray{T}; h=T(1e-2)) where {T}
    map(CartesianIndices(x)) do i
        up, down = copy(x), copy(x)
        up[i] += h
        down[i] -= h
        (f(up) - f(down)) / Float64(up[i] - down[i])
    end
end

# The text of what f throws, which must be a T.
function message_of(f, T::Type)
    try
        f()
    catch problem
        problem isa T || rethrow()
        return sprint(showerror, problem)
    end
    error("nothing was thrown: a $T was expected")
end
