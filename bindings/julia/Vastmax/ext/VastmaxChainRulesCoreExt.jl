# SPDX-License-Identifier: Apache-2.0
# For Julia 1.9 and newer; src/loadrules.jl serves older ones.
module VastmaxChainRulesCoreExt

using Vastmax: Vastmax
using ChainRulesCore: ChainRulesCore

include(joinpath(@__DIR__, "..", "src", "chainrules.jl"))

end # module
