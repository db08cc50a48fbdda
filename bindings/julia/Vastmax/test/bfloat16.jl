# SPDX-License-Identifier: Apache-2.0
all_bits = [reinterpret(BFloat16, UInt16(i)) for i in 0:0xffff]
# Through Float32 and back nothing is lost but the payload's quiet bit.
@test all(isnan(Float32(b)) ? isnan(BFloat16(Float32(b))) : BFloat16(Float32(b)) === b for b in all_bits)
# Round to nearest, ties to even, against the two neighbours.
function rounds_well(f)
    low = reinterpret(Float32, reinterpret(UInt32, f) & 0xffff0000)
    high = reinterpret(Float32, (reinterpret(UInt32, f) & 0xffff0000) + 0x00010000)
    isfinite(f) && !isinf(high) || return true
    down, up = abs(Float64(f) - low), abs(Float64(high) - f)
    expected = down < up || (down == up && iseven(reinterpret(UInt32, low) >> 16)) ? low : high
    return Float32(BFloat16(f)) === expected
end
@test filter(!rounds_well, reinterpret(Float32, rand(UInt32, 20_000))) == Float32[]
# From Float64 once and not twice: just above a tie that Float32 rounds onto.
tie = 1 + 2.0^-8
@test BFloat16(tie) == 1 && BFloat16(tie + 2.0^-40) == 1 + 2.0^-7 && BFloat16(-tie - 2.0^-40) == -1 - 2.0^-7
@test BFloat16(1 + 3 * 2.0^-8 - 2.0^-40) == 1 + 2.0^-7
@test BFloat16(1e300) == Inf && BFloat16(1e-300) == 0 && isnan(BFloat16(NaN)) && BFloat16(-Inf) == typemin(BFloat16)
@test BFloat16(3) === BFloat16(3.0) && BFloat16(1 // 3) === BFloat16(1 / 3)
@test BFloat16(2) + BFloat16(3) === BFloat16(5) && BFloat16(1.5) * 2 === BFloat16(3) && -BFloat16(1) == -1
@test BFloat16(1) + 1.0f0 === 2.0f0 && BFloat16(1) + 1.0 === 2.0 && BFloat16(1) < BFloat16(2) && abs(BFloat16(-2)) == 2
@test Int(BFloat16(7)) === 7 && Float16(BFloat16(0.5)) === Float16(0.5) && zero(BFloat16) == 0 && one(BFloat16) == 1
@test eps(BFloat16) == 2.0^-7 && isnan(BFloat16(NaN)) && isinf(typemax(BFloat16)) && hash(BFloat16(2)) == hash(2.0f0)
@test repr(BFloat16(0.5)) == "BFloat16(0.5)"
# Raw bits without a copy.
bits = rand(UInt16, 50) .& 0x3fff
@test same_bits(softmax(reinterpret(BFloat16, bits)), softmax(collect(reinterpret(BFloat16, bits))))
