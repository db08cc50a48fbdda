# SPDX-License-Identifier: Apache-2.0
# Julia before 1.9 has no package extensions: the rules are read when ChainRulesCore is, or at once if it is there already.

const chain_rules_core = Base.PkgId(Base.UUID("d360d2e6-b24c-11e9-a2a3-2a2ae2dbcce4"), "ChainRulesCore")

function load_rules()
    isdefined(Base, :get_extension) && return nothing # ext/VastmaxChainRulesCoreExt.jl does it
    # While a package that depends on this one is precompiled nothing may be added to another module.
    ccall(:jl_generating_output, Cint, ()) == 1 && return nothing
    read_rules(id) = if id == chain_rules_core && !isdefined(Vastmax, :ChainRules)
        Base.eval(Vastmax, :(module ChainRules
            using ..Vastmax: Vastmax
            const ChainRulesCore = $(Base.loaded_modules[chain_rules_core])
            include($(joinpath(@__DIR__, "chainrules.jl")))
        end))
    end
    if haskey(Base.loaded_modules, chain_rules_core)
        read_rules(chain_rules_core)
    else
        push!(Base.package_callbacks, read_rules)
    end
    return nothing
end
