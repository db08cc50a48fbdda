# SPDX-License-Identifier: Apache-2.0
"""bindings/julia/Vastmax/src/raw.jl: the C ABI as it stands, for ccall. Names, types and order are those of the header."""

from typing import Any, Dict, List

from .header import CType, Field, Function, Model, Struct

SCALARS = {
    "void": "Cvoid", "char": "UInt8", "int8_t": "Int8", "uint8_t": "UInt8", "int16_t": "Int16", "uint16_t": "UInt16",
    "int32_t": "Int32", "uint32_t": "UInt32", "int64_t": "Int64", "uint64_t": "UInt64", "size_t": "Csize_t",
    "float": "Float32", "double": "Float64",
}
WIDTH = 110


class Emitter:
    def __init__(self, model: Model):
        self.model = model
        self.callbacks = {c.name for c in model.callbacks}
        self.structs = {s.name: s for s in model.structs}
        self.lines: List[str] = []

    def type(self, c: CType) -> str:
        """Parameters and fields. A callback is a pointer to a function; const makes no difference to ccall."""
        if c.base in self.callbacks:
            text, pointers = "Ptr{Cvoid}", len(c.pointers)
        else:
            text, pointers = SCALARS.get(c.base, c.base), len(c.pointers)
        for _ in range(pointers):
            text = f"Ptr{{{text}}}"
        return f"NTuple{{{c.array}, {text}}}" if c.array else text

    def default(self, field: Field, value: Any) -> str:
        if value == "sizeof":
            return ""
        if value is None:
            return "C_NULL"
        if isinstance(value, list):
            if not self.is_zero(value):
                raise ValueError(f"{field.name}: the default of a struct within a struct is not zero")
            return f"{field.type.base}()"
        return repr(value)

    def is_zero(self, value: Any) -> bool:
        return all(self.is_zero(v) for v in value) if isinstance(value, list) else value in (None, 0)

    def doc(self, text: str) -> None:
        if '"""' in text or "```" in text:
            raise ValueError("a comment of the header would end its docstring")
        self.lines += ['@doc raw"""', "```text", *text.split("\n"), "```", '"""']

    def constants(self) -> None:
        types = {"int32_t": "Int32", "uint32_t": "UInt32", "int64_t": "Int64", "uint64_t": "UInt64"}
        for group in self.model.groups:
            if group.doc:
                self.lines += [f"# {line}" for line in group.doc.split("\n")]
            for one in group.constants:
                note = f" # {' '.join(one.doc.split())}" if one.doc not in ("", group.doc) else ""
                self.lines.append(f"const {one.name} = {types[one.type]}({one.value}){note}")
            self.lines.append("")

    def struct(self, struct: Struct) -> None:
        if struct.doc:
            self.doc(struct.doc)
        self.lines.append(f"struct {struct.name}")
        for field in struct.fields:
            note = f" # {' '.join(field.doc.split())}" if field.doc else ""
            self.lines.append(f"    {field.name}::{self.type(field.type)}{note}")
        self.lines.append("end")
        if struct.init:
            keywords = [f"{f.name}={self.default(f, f.default)}" for f in struct.fields[1:]]
            values = [f"sizeof({struct.name})", *(f.name for f in struct.fields[1:])]
            self.call(f"@inline {struct.name}(; ", keywords, ") =")
            self.call(f"    {struct.name}(", values, ")", 8)
        else:
            zeros = ["C_NULL" if f.type.pointers else
                     f"{f.type.base}()" if f.type.base in self.structs else
                     f"ntuple(_ -> {self.type(CType(f.type.base))}(0), {f.type.array})" if f.type.array else "0"
                     for f in struct.fields]
            self.call(f"@inline {struct.name}() = {struct.name}(", zeros, ")")
        self.lines.append("")

    def call(self, head: str, items: List[str], tail: str, indent: int = 4) -> None:
        """head item, item, ... tail, broken at the line width."""
        line = head
        for i, item in enumerate(items):
            piece = item + (", " if i + 1 < len(items) else tail)
            if len(line) + len(piece.rstrip()) > WIDTH:
                self.lines.append(line.rstrip())
                line = " " * indent
            line += piece
        self.lines.append(line if items else head + tail)

    def function(self, function: Function) -> None:
        self.doc(function.doc)
        names = [p.name for p in function.params]
        types = [self.type(p.type) for p in function.params]
        self.call(f"@inline {function.name}(", names, ") =")
        tuple_end = ",)" if len(types) == 1 else ")"
        self.call(f"    ccall(pointers.{function.name}, {self.type(function.result)}, (", types,
                  tuple_end + (", " + ", ".join(names) if names else "") + ")", 8)
        if not types:
            self.lines[-1] = f"    ccall(pointers.{function.name}, {self.type(function.result)}, ())"
        self.lines.append("")

    def emit(self) -> str:
        self.lines = [
            "# SPDX-License-Identifier: Apache-2.0",
            "# Written by scripts/gen_bindings from include/vastmax/vastmax.h: do not edit.",
            '"""',
            "The C ABI as it stands: structs, constants and functions under their C names. Nothing here looks after what a",
            "pointer points at: keep the arrays alive with `GC.@preserve`. Constructors of the option structs take the fields as",
            "keywords and fill `struct_size` and the defaults.",
            '"""',
            "module Raw",
            "",
            "import Libdl",
            "",
            f"const header_version = v\"{'.'.join(map(str, self.model.version))}\"",
            "",
        ]
        self.constants()
        for alias in self.model.aliases:
            self.lines += [f"const {alias.name} = {self.type(alias.type)}", ""]
        for opaque in self.model.opaques:
            self.doc(opaque.doc)
            self.lines += [f"mutable struct {opaque.name} end", ""]
        for struct in self.model.structs:
            self.struct(struct)
        self.lines.append("# Addresses in the library that was loaded.")
        self.lines.append("mutable struct Pointers")
        self.lines += [f"    {f.name}::Ptr{{Cvoid}}" for f in self.model.functions]
        self.lines += [
            "end",
            f"const pointers = Pointers(ntuple(_ -> C_NULL, {len(self.model.functions)})...)",
            "",
            "# Throws if the library lacks one of them.",
            "function load(handle::Ptr{Cvoid})",
            "    for name in fieldnames(Pointers)",
            "        setfield!(pointers, name, Libdl.dlsym(handle, name))",
            "    end",
            "end",
            "",
        ]
        for function in self.model.functions:
            self.function(function)
        self.lines += ["end # module", ""]
        return "\n".join(line.rstrip() for line in self.lines)


def emit(model: Model) -> Dict[str, str]:
    return {"bindings/julia/Vastmax/src/raw.jl": Emitter(model).emit()}
