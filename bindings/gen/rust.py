# SPDX-License-Identifier: Apache-2.0
"""bindings/rust/vastmax-sys/src/raw.rs: the header in Rust; tests/layout/table.rs: where its structs' fields are."""

import re
import textwrap
from typing import Any, Dict, List

from .header import CType, Callback, Field, Function, Model, Param, Struct

SCALARS = {"char": "c_char", "int8_t": "i8", "uint8_t": "u8", "int16_t": "i16", "uint16_t": "u16", "int32_t": "i32",
           "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64", "size_t": "usize", "float": "f32", "double": "f64"}
KEYWORDS = {"type", "ref", "in", "fn", "box", "move", "use", "match", "loop", "impl", "mod", "priv", "final", "where"}


def name(text: str) -> str:
    return "r#" + text if text in KEYWORDS else text


def rust_type(c: CType) -> str:
    text = "c_void" if c.base == "void" and c.pointers else SCALARS.get(c.base, c.base)
    for const in c.pointers:
        text = ("*const " if const else "*mut ") + text
    return f"[{text}; {c.array}]" if c.array else text


def docs(text: str, indent: str = "") -> List[str]:
    """C's comment as it stands: its columns and brackets mean nothing to Markdown."""
    if not text:
        return []
    return [f"{indent}/// ```text", *(f"{indent}/// {line}".rstrip() for line in text.split("\n")), f"{indent}/// ```"]


def short(text: str, indent: str = "") -> List[str]:
    """A remark beside a line, with what Markdown would take for markup escaped."""
    text = re.sub(r"([\\\[\]<>*_`|])", r"\\\1", " ".join(text.split()))
    return [f"{indent}/// {line}" for line in textwrap.wrap(text, 110)]


def arguments(params: List[Param]) -> str:
    return ", ".join(f"{name(p.name)}: {rust_type(p.type)}" for p in params)


def result(c: CType) -> str:
    return "" if c == CType("void") else f" -> {rust_type(c)}"


def callback(c: Callback) -> List[str]:
    return [*docs(c.doc), f"pub type {c.name} = Option<unsafe extern \"C\" fn({arguments(c.params)}){result(c.result)}>;", ""]


def value(c: CType, default: Any, model: Model) -> str:
    if default == "sizeof":
        return "core::mem::size_of::<Self>()"
    if isinstance(default, list):
        struct = model.struct(c.base)
        inner = ", ".join(f"{name(f.name)}: {value(f.type, v, model)}" for f, v in zip(struct.fields, default))
        return f"{c.base} {{ {inner} }}"
    if default is None:
        if c.pointers:
            return "core::ptr::null()" if c.pointers[-1] else "core::ptr::null_mut()"
        return "None"  # a callback
    if c.base == "double":
        return repr(float(default))
    return str(default)


def struct(s: Struct, model: Model) -> List[str]:
    lines = [*docs(s.doc), "#[repr(C)]", "#[derive(Clone, Copy, Debug)]", f"pub struct {s.name} {{"]
    for f in s.fields:
        lines += [*short(f.doc, "    "), f"    pub {name(f.name)}: {rust_type(f.type)},"]
    lines += ["}", ""]
    if s.init:
        lines += [f"impl {s.name} {{", f"    /// The defaults, as the macro {s.name.upper()}_INIT gives them.",
                  "    pub const INIT: Self = Self {"]
        lines += [f"        {name(f.name)}: {value(f.type, f.default, model)}," for f in s.fields]
        lines += ["    };", "}", "", f"impl Default for {s.name} {{", "    fn default() -> Self {", "        Self::INIT",
                  "    }", "}", ""]
    return lines


def function(f: Function) -> List[str]:
    return [*docs(f.doc, "    "), f"    pub fn {f.name}({arguments(f.params)}){result(f.result)};"]


def raw(model: Model) -> str:
    lines = ["// SPDX-License-Identifier: Apache-2.0",
             "// Written by scripts/gen_bindings from include/vastmax/vastmax.h: do not edit.", "",
             "use core::ffi::{c_char, c_void};", "use core::marker::{PhantomData, PhantomPinned};", ""]
    for group in model.groups:
        for c in group.constants:
            lines += [*short(c.doc), f"pub const {c.name}: {SCALARS[c.type]} = {c.value};"]
        lines.append("")
    for alias in model.aliases:
        lines += [*docs(alias.doc), f"pub type {alias.name} = {rust_type(alias.type)};", ""]
    for opaque in model.opaques:
        lines += [*docs(opaque.doc), "#[repr(C)]", f"pub struct {opaque.name} {{", "    _data: [u8; 0],",
                  "    _marker: PhantomData<(*mut u8, PhantomPinned)>,", "}", ""]
    for c in model.callbacks:
        lines += callback(c)
    for s in model.structs:
        lines += struct(s, model)
    lines.append("unsafe extern \"C\" {")
    for f in model.functions:
        lines += function(f)
    lines += ["}", ""]
    return "\n".join(lines)


def layout_table(model: Model) -> str:
    def entry(s: Struct, f: Field) -> str:
        return f"    field!({s.name}, {name(f.name)}, \"{f.name}\");"

    lines = ["// SPDX-License-Identifier: Apache-2.0",
             "// Written by scripts/gen_bindings from include/vastmax/vastmax.h: do not edit.", "",
             "/// \"struct size align\" and \"struct.field offset size\", in the header's order.",
             "fn layout() -> Vec<String> {", "    let mut lines = Vec::new();",
             "    macro_rules! whole {", "        ($t:ident) => {",
             "            lines.push(format!(\"{} {} {}\", stringify!($t), size_of::<$t>(), align_of::<$t>()))", "        };",
             "    }", "    macro_rules! field {", "        ($t:ident, $f:ident, $name:literal) => {",
             "            lines.push(format!(\"{}.{} {} {}\", stringify!($t), $name, offset_of!($t, $f), size_of_result(|s: &$t| s.$f)))",
             "        };", "    }"]
    for s in model.structs:
        lines.append(f"    whole!({s.name});")
        lines += [entry(s, f) for f in s.fields]
    inits = [s for s in model.structs if s.init]
    lines += ["    lines", "}", "",
              "/// The bytes of each INIT constant, and the function that must give the same.",
              "fn inits() -> Vec<(&'static str, Vec<u8>, Init)> {", "    vec!["]
    lines += [f"        init::<{s.name}>(\"{s.name}\", {s.name}::INIT, {s.init})," for s in inits]
    lines += ["    ]", "}", ""]
    return "\n".join(lines)


def emit(model: Model) -> Dict[str, str]:
    return {"bindings/rust/vastmax-sys/src/raw.rs": raw(model),
            "bindings/rust/vastmax-sys/tests/layout/table.rs": layout_table(model)}
