# SPDX-License-Identifier: Apache-2.0
"""include/vastmax/vastmax.h as a model that the emitters of this folder turn into each language's raw layer.

The preprocessor expands the header, pycparser reads the declarations and evaluates nothing of its own beyond integer
expressions; comments, which neither keeps, are matched to declarations by their lines.
"""

import re
import subprocess
import tempfile
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from pycparser import c_ast, c_parser

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "vastmax" / "vastmax.h"

# The two headers that vastmax.h includes, cut down to what it uses of them: the system's own hold extensions of C.
SYSTEM_HEADERS = {
    "stddef.h": "typedef unsigned long size_t;\n#define NULL ((void *)0)\n",
    "stdint.h": "".join(f"typedef {c} {name}_t;\n" for name, c in [
        ("int8", "signed char"), ("uint8", "unsigned char"), ("int16", "short"), ("uint16", "unsigned short"),
        ("int32", "int"), ("uint32", "unsigned int"), ("int64", "long"), ("uint64", "unsigned long")])
    + "#define INT64_C(c) c##L\n#define UINT64_C(c) c##UL\n",
}
SCALARS = {"void", "char", "int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t", "size_t",
           "float", "double"}
# Groups of constants whose names have nothing in common but VMX_, by their first member.
GROUP_NAMES = {"VMX_OK": "status", "VMX_F32": "dtype", "VMX_PRECISE": "softmax", "VMX_SGD": "optimizer"}

# Neighbours of no group.
SINGLE = {"VMX_VERSION_MAJOR", "VMX_BLOCK", "VMX_MAX_COLS"}


@dataclass(frozen=True)
class CType:
    """base is one of SCALARS, or the name of an alias, struct, opaque type or callback of the header. pointers has one entry
    for each level of indirection, innermost first: whether what is pointed at is const (const T ** is (True, False))."""
    base: str
    pointers: Tuple[bool, ...] = ()
    array: int = 0  # of a struct's field: its length, 0 if it is no array

    def pointee(self) -> "CType":
        return CType(self.base, self.pointers[:-1])


@dataclass
class Constant:
    name: str
    value: int
    type: str  # int32_t, uint32_t or int64_t, as C has it
    doc: str
    line: int


@dataclass
class Group:
    """Constants that stand together. name: status, dtype, ..., or the prefix they share: row for VMX_ROW_*; "" for a single
    one."""
    name: str
    doc: str
    constants: List[Constant]

    @property
    def is_flags(self) -> bool:
        return all(c.type == "uint32_t" for c in self.constants)


@dataclass
class Alias:
    name: str
    type: CType
    doc: str
    line: int


@dataclass
class Opaque:
    name: str
    doc: str
    line: int


@dataclass
class Param:
    name: str
    type: CType


@dataclass
class Callback:
    name: str
    result: CType
    params: List[Param]
    doc: str
    line: int


@dataclass
class Field:
    name: str
    type: CType
    doc: str
    # Of structs with an INIT macro: a number, None for a null pointer, "sizeof" for struct_size, a list for a struct.
    default: Any = None


@dataclass
class Struct:
    name: str
    fields: List[Field]
    doc: str
    line: int
    init: Optional[str] = None  # the function that fills it with the defaults: vmx_<x>_init for a vmx_<x>


@dataclass
class Function:
    name: str
    result: CType
    params: List[Param]
    doc: str
    line: int


@dataclass
class Model:
    version: Tuple[int, int, int] = (0, 0, 0)
    constants: List[Constant] = field(default_factory=list)
    groups: List[Group] = field(default_factory=list)
    aliases: List[Alias] = field(default_factory=list)
    opaques: List[Opaque] = field(default_factory=list)
    callbacks: List[Callback] = field(default_factory=list)
    structs: List[Struct] = field(default_factory=list)
    functions: List[Function] = field(default_factory=list)

    def group(self, name: str) -> Group:
        return next(g for g in self.groups if g.name == name)

    def struct(self, name: str) -> Struct:
        return next(s for s in self.structs if s.name == name)

    def function(self, name: str) -> Function:
        return next(f for f in self.functions if f.name == name)

    def constant(self, name: str) -> Constant:
        return next(c for c in self.constants if c.name == name)


class HeaderError(Exception):
    """The header holds something that the bindings could not say."""


# ------------------------------------------------------------------------------------------------ comments


@dataclass
class Comment:
    first: int  # lines
    last: int
    own_line: bool  # nothing stands before it
    text: str


def comments_of(source: str) -> List[Comment]:
    found = []
    for match in re.finditer(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', source, re.S):
        raw = match.group()
        if not raw.startswith("/*"):
            continue
        first = source.count("\n", 0, match.start()) + 1
        before = source[source.rfind("\n", 0, match.start()) + 1:match.start()]
        found.append(Comment(first, first + raw.count("\n"), not before.strip(), clean(raw)))
    return found


def clean(raw: str) -> str:
    """The text of a comment without its frame; a table's columns keep their indentation."""
    lines = re.sub(r"^/\*+|\*+/$", "", raw).split("\n")
    framed = all(re.match(r"\s*\*", line) for line in lines[1:-1])
    rest = [re.sub(r"^\s*\* ?", "", line) if framed else line.strip() for line in lines[1:]]
    return "\n".join([lines[0].strip(), *(line.rstrip() for line in textwrap.dedent("\n".join(rest)).split("\n"))]).strip()


class Comments:
    def __init__(self, source: str):
        comments = comments_of(source)
        self.by_last = {c.last: c for c in comments if c.own_line}
        self.trailing = {c.first: c for c in comments if not c.own_line}

    def above(self, line: int) -> str:
        found = self.by_last.get(line - 1)
        return found.text if found and not re.match(r"-{8}", found.text) else ""

    def beside(self, first: int, last: int) -> str:
        """What begins on one of these lines, behind code."""
        return next((self.trailing[n].text for n in range(first, last + 1) if n in self.trailing), "")

    def end_beside(self, line: int) -> int:
        return self.trailing[line].last if line in self.trailing else line


# ---------------------------------------------------------------------------------------------- preprocessor


def preprocess(text: str, cc: str, *flags: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in SYSTEM_HEADERS.items():
            (Path(folder) / name).write_text(content)
        (Path(folder) / "unit.c").write_text(text)
        # VMX_STATIC: no attributes in front of the functions.
        command = [cc, "-E", "-std=c99", "-nostdinc", "-DVMX_STATIC", *flags, "-I", folder, "-I", str(HEADER.parents[1]),
                   str(Path(folder) / "unit.c")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise HeaderError(f"{cc} cannot preprocess {HEADER}:\n{done.stderr}")
        return done.stdout


def macros(cc: str) -> List[Tuple[str, str, int]]:
    """Name, body and line of each macro of the header that takes no arguments and is not empty."""
    found, here, line = [], False, 0
    for text in preprocess("#include <vastmax/vastmax.h>\n", cc, "-dD").split("\n"):
        marker = re.match(r'# (\d+) "([^"]*)"', text)
        if marker:
            line, here = int(marker.group(1)), marker.group(2).endswith("vastmax/vastmax.h")
            continue
        define = re.match(r"#define (VMX_[A-Z0-9_]+) (\S.*)$", text)
        if define and here:
            found.append((define.group(1), define.group(2), line))
        line += 1
    return found


# --------------------------------------------------------------------------------------------------- values


def integer(node: c_ast.Node) -> Tuple[int, str]:
    """Value and C type of a constant expression."""
    if isinstance(node, c_ast.Constant) and "int" in node.type:
        digits = node.value.rstrip("uUlL")
        value, suffix = int(digits, 0), node.value[len(digits):].lower()
        if "l" in suffix:
            return value, "uint64_t" if "u" in suffix else "int64_t"
        return value, "uint32_t" if "u" in suffix else "int32_t"
    if isinstance(node, c_ast.UnaryOp) and node.op in "-+":
        value, kind = integer(node.expr)
        return -value if node.op == "-" else value, kind
    if isinstance(node, c_ast.BinaryOp):
        (a, kind), (b, other) = integer(node.left), integer(node.right)
        operations = {"+": a + b, "-": a - b, "*": a * b, "|": a | b, "<<": a << b if b >= 0 else 0}
        if node.op in operations:
            order = ["int32_t", "uint32_t", "int64_t", "uint64_t"]
            return operations[node.op], max(kind, other, key=order.index)
    raise HeaderError(f"not an integer constant: {type(node).__name__} at {node.coord}")


def initial(node: c_ast.Node) -> Any:
    if isinstance(node, c_ast.InitList):
        return [initial(e) for e in node.exprs]
    if isinstance(node, c_ast.UnaryOp) and node.op == "sizeof":
        return "sizeof"
    if isinstance(node, c_ast.Cast):  # NULL
        return None
    if isinstance(node, c_ast.Constant) and node.type in ("double", "float"):
        return float(node.value.rstrip("fF"))
    return integer(node)[0]


# -------------------------------------------------------------------------------------------------- declarations


def type_of(node: c_ast.Node, known: Dict[str, int]) -> CType:
    levels: List[c_ast.Node] = []
    length = 0
    if isinstance(node, c_ast.ArrayDecl):
        length, node = integer(node.dim)[0], node.type
    while isinstance(node, c_ast.PtrDecl):
        levels.append(node)
        node = node.type
    if not isinstance(node, c_ast.TypeDecl):
        raise HeaderError(f"a type that the bindings do not know: {type(node).__name__} at {node.coord}")
    inner = node.type
    base = inner.name if isinstance(inner, c_ast.Struct) else " ".join(inner.names)
    if base not in SCALARS and base not in known:
        raise HeaderError(f"unknown type {base} at {node.coord}")
    # What a level points at is const if the next level inwards is qualified so.
    quals = [level.quals for level in levels[1:]] + ([node.quals] if levels else [])
    return CType(base, tuple("const" in q for q in reversed(quals)), length)


def params_of(function: c_ast.FuncDecl, known: Dict[str, int]) -> List[Param]:
    params = [Param(p.name or "", type_of(p.type, known)) for p in (function.args.params if function.args else [])]
    return [] if len(params) == 1 and params[0].type == CType("void") else params


def load(cc: str = "cc") -> Model:
    """Reads the header. Raises HeaderError where the model could not hold what stands there."""
    comments = Comments(HEADER.read_text())
    model = Model()
    defined = macros(cc)
    values = [(name, body, line) for name, body, line in defined if not body.startswith("{") and not name.startswith("VMX_API")]
    inits = {name: body for name, body, _ in defined if body.startswith("{")}

    unit = "#include <vastmax/vastmax.h>\n"
    unit += "".join(f"long value_of_{name} = {name};\n" for name, _, _ in values)
    unit += "".join(f"{name[:-5].lower()} initial_of_{name} = {name};\n" for name in inits)
    tree = c_parser.CParser().parse(preprocess(unit, cc), str(HEADER))

    known: Dict[str, int] = {}
    numbers: Dict[str, Tuple[int, str]] = {}
    defaults: Dict[str, list] = {}
    last_line, last_doc = 0, ""
    for node in tree.ext:
        name, line = node.name, node.coord.line if node.coord else 0
        if name.startswith("value_of_"):
            numbers[name[9:]] = integer(node.init)
            continue
        if name.startswith("initial_of_"):
            defaults[name[11:-5].lower()] = initial(node.init)
            continue
        if not str(node.coord.file).endswith("vastmax.h"):
            continue
        doc = comments.above(line)
        if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            if not doc and last_line and not any(comments.above(n) for n in range(last_line + 1, line)):
                between = HEADER.read_text().split("\n")[last_line:line - 1]
                if all(text.strip() for text in between):  # the next of a run that one comment stands over
                    doc = last_doc
            end = max([line] + [p.coord.line for p in (node.type.args.params if node.type.args else []) if p.coord])
            last_line, last_doc = end, doc
            if not doc and name.endswith("_init"):
                doc = model.function("vmx_context_options_init").doc
            if not doc:
                raise HeaderError(f"{name} has no comment")
            model.functions.append(Function(name, type_of(node.type.type, known), params_of(node.type, known), doc, line))
            continue
        if not isinstance(node, c_ast.Typedef):
            raise HeaderError(f"neither function nor type: {name} at {node.coord}")
        target = node.type
        if isinstance(target, c_ast.PtrDecl) and isinstance(target.type, c_ast.FuncDecl):
            function = target.type
            doc = doc or (model.callbacks[-1].doc if model.callbacks else "")
            model.callbacks.append(Callback(name, type_of(function.type, known), params_of(function, known), doc, line))
        elif isinstance(target, c_ast.TypeDecl) and isinstance(target.type, c_ast.Struct):
            struct = target.type
            if struct.decls is None:
                model.opaques.append(Opaque(name, doc, line))
            else:
                line = struct.coord.line
                model.structs.append(Struct(name, fields_of(struct, known, comments), comments.above(line), line))
        else:
            model.aliases.append(Alias(name, type_of(target, known), doc, line))
        known[name] = line
        last_line = 0

    names = {f.name for f in model.functions}
    for struct in model.structs:
        if struct.name + "_init" in names:
            struct.init = struct.name + "_init"
        if (struct.init is None) != (struct.fields[0].name != "struct_size") or (struct.init is None) != (
                struct.name not in defaults):
            raise HeaderError(f"{struct.name}: struct_size, an init function and an INIT macro belong together")
        for one, value in zip(struct.fields, defaults.get(struct.name, [])):
            one.default = value

    model.constants = [Constant(name, *numbers[name], comments.beside(line, line), line) for name, _, line in values]
    model.groups = groups_of(model.constants, comments)
    version = [model.constant(f"VMX_VERSION_{part}").value for part in ("MAJOR", "MINOR", "PATCH")]
    model.version = (version[0], version[1], version[2])
    return model


def fields_of(struct: c_ast.Struct, known: Dict[str, int], comments: Comments) -> List[Field]:
    return [Field(d.name, type_of(d.type, known), remark(d.name, comments.beside(d.coord.line, d.coord.line))) for d in struct.decls]


def remark(field: str, beside: str) -> str:
    """One line may declare "reserved" behind another field: its remark is not of both."""
    if field == "reserved":
        return "must be 0"
    return "" if beside.startswith("reserved:") else beside


def groups_of(constants: List[Constant], comments: Comments) -> List[Group]:
    """Runs of neighbouring lines, long comments beside them included."""
    runs: List[List[Constant]] = []
    for constant in constants:
        last = runs[-1][-1] if runs else None
        if last and constant.line == comments.end_beside(last.line) + 1:
            runs[-1].append(constant)
        else:
            runs.append([constant])
    groups = []
    for run in runs:
        for one in run:  # a comment above may belong to the one or to all that follow
            one.doc = one.doc or (comments.above(one.line) if one is not run[0] or len(run) == 1 else "")
        if any(c.name in SINGLE for c in run):
            for one in run:
                one.doc = one.doc or comments.above(one.line)
                groups.append(Group("", one.doc, [one]))
            continue
        words = [c.name.split("_")[1:] for c in run]
        shared = []
        for column in zip(*words):
            if len(set(column)) > 1:
                break
            shared.append(column[0])
        if len(run) == 1:
            shared = words[0][:1]
        name = GROUP_NAMES.get(run[0].name, "_".join(shared).lower())
        if not name:
            raise HeaderError(f"{run[0].name} and its neighbours share no prefix: name them in GROUP_NAMES")
        groups.append(Group(name, comments.above(run[0].line), run))
    names = [g.name for g in groups if g.name]
    if len(names) != len(set(names)):
        raise HeaderError(f"two groups of constants have one name: {names}")
    return groups
