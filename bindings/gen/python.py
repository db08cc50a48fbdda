# SPDX-License-Identifier: Apache-2.0
"""Python's raw layer: _constants.py, and raw.inc, which the extension includes (names of enumerators, layouts of structs)."""

from typing import Dict

from .header import Constant, Group, Model

PACKAGE = "bindings/python/src/vastmax/_constants.py"
RAW = "bindings/python/src/ext/raw.inc"


def short(constant: Constant) -> str:
    return constant.name[len("VMX_"):]


def spelling(group: Group, constant: Constant) -> str:
    """As Python's arguments spell an enumerator: VMX_REDUCE_MEAN is "mean"."""
    name, prefix = short(constant).lower(), group.name + "_"
    return name[len(prefix):] if name.startswith(prefix) else name


def constants(model: Model) -> str:
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        "# Written by scripts/gen_bindings: do not edit.",
        '"""Constants of vastmax.h without their prefix VMX_, and the names of all its functions."""',
        "",
        "from typing import Final",
        "",
    ]
    for group in model.groups:
        if group.doc:
            lines += [f"# {line}".rstrip() for line in group.doc.split("\n")]
        lines += [f"{short(c)}: Final = {c.value}" for c in group.constants]
        lines.append("")
    lines.append("FUNCTIONS: Final = (")
    lines += [f'    "{function.name}",' for function in model.functions]
    lines += [")", ""]
    return "\n".join(lines)


def raw(model: Model) -> str:
    lines = ["// SPDX-License-Identifier: Apache-2.0", "// Written by scripts/gen_bindings: do not edit.", ""]
    for group in model.groups:
        if not group.name or group.is_flags or group.name in ("version", "dtype", "purpose"):
            continue
        lines.append(f"inline constexpr Name k_{group.name}_names[] = {{")
        lines += [f'    {{"{spelling(group, c)}", {c.name}}},' for c in group.constants]
        lines += ["};", ""]
    lines.append("#define VMXPY_LAYOUT(STRUCT, FIELD) \\")
    entries = []
    for struct in model.structs:
        entries.append(f"  STRUCT({struct.name})")
        entries += [f"  FIELD({struct.name}, {field.name})" for field in struct.fields]
    lines.append(" \\\n".join(entries))
    lines.append("")
    return "\n".join(lines)


def emit(model: Model) -> Dict[str, str]:
    return {PACKAGE: constants(model), RAW: raw(model)}
