#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lays together what Sphinx reads: the pages of docs/site and docs, the READMEs, the C API from the header, the Julia API from its
docstrings, the accuracy table.
  prepare.py OUT --accuracy FILE [--python-api FILE]
    OUT            folder to write (removed first)
    --accuracy     table that the program of accuracy.c printed
    --python-api   what python_api.py wrote
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]
sys.path.insert(0, str(ROOT / "bindings"))

from gen import header  # noqa: E402

# Files of the tree that are pages of the site.
PAGES = {
    "docs/train.md": "train.md",
    "docs/numerics.md": "numerics.md",
    "CONTRIBUTING.md": "contributing.md",
    "bindings/julia/README.md": "languages/julia.md",
    "bindings/rust/README.md": "languages/rust.md",
    "bindings/python/README.md": "languages/python.md",
}


# ------------------------------------------------------------------------------------------------ pages


def move_links(text: str, source: Path, page: str) -> str:
    """Links between files of the tree as links between pages; to files that are no pages, as plain text."""

    def link(match):
        label, target = match.group(1), match.group(2)
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return match.group(0)
        path, _, anchor = target.partition("#")
        found = (source.parent / path).resolve()
        try:
            name = found.relative_to(ROOT).as_posix()
        except ValueError:
            name = ""
        if name == "README.md":
            to = "index.md"
        elif name in PAGES:
            to = PAGES[name]
        elif found.parent == SITE or found.parent == SITE / "languages":
            to = found.relative_to(SITE).as_posix()
        else:
            if not found.exists():
                raise SystemExit(f"{source}: a link leads nowhere: {target}")
            return label
        up = "../" * page.count("/")
        return f"[{label}]({up}{to}{'#' + anchor if anchor else ''})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.S | re.M)
    return "".join(part if i % 2 else re.sub(r"\[([^\]\n]+)\]\(([^)\s]+)\)", link, part) for i, part in enumerate(parts))


def write_pages(out: Path) -> None:
    for path in sorted(SITE.rglob("*.md")):
        page = path.relative_to(SITE).as_posix()
        text = move_links(without_licence(path.read_text()), path, page)
        target = out / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(include_files(text))
    for name, page in PAGES.items():
        path = ROOT / name
        target = out / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            text = without_licence(path.read_text())
            text = re.sub(r"^```jldoctest", "```julia", text, flags=re.M)
            if not re.match(r"\s*# ", text):
                text = f"# {path.parent.name.capitalize()}\n\n{text}"
            target.write_text(move_links(text, path, page))
        else:
            raise SystemExit(f"prepare.py: {name} is missing")


def without_licence(text: str) -> str:
    return re.sub(r"\A(<!-- SPDX[^\n]*-->|# SPDX[^\n]*)\n+", "", text)


def include_files(text: str) -> str:
    """<!-- include PATH --> becomes that file, as a block of its language, without its licence line."""

    def include(match):
        path = ROOT / match.group(1)
        language = {".c": "c", ".py": "python", ".jl": "julia", ".rs": "rust", ".sh": "sh"}[path.suffix]
        lines = path.read_text().split("\n")
        body = "\n".join(line for line in lines if "SPDX-License-Identifier" not in line).strip("\n")
        return f"```{language}\n{body}\n```"

    return re.sub(r"<!-- include (\S+) -->", include, text)


# ------------------------------------------------------------------------------------------------ the C API


class CPages:
    def __init__(self, model: header.Model):
        self.model = model
        self.roles = {f.name: "func" for f in model.functions}
        self.roles.update({s.name: "struct" for s in model.structs})
        self.roles.update({o.name: "struct" for o in model.opaques})
        self.roles.update({a.name: "type" for a in model.aliases + model.callbacks})
        self.roles.update({c.name: "macro" for c in model.constants})

    def text(self, text: str) -> str:
        """A comment's text as reStructuredText: nothing is markup, known names are links."""
        pieces = re.split(r"(\b(?:vmx|VMX)_[A-Za-z0-9_]+\b)", text)
        made = []
        for i, piece in enumerate(pieces):
            if i % 2 and piece in self.roles and not pieces[i + 1].startswith("*"):
                before = "\\ " if made and made[-1] and not made[-1][-1].isspace() and made[-1][-1] not in "([{-/:'\"" else ""
                after = "\\ " if pieces[i + 1][:1] and not re.match(r"[\s.,:;!?)\]}/'\"-]", pieces[i + 1]) else ""
                made.append(f"{before}:c:{self.roles[piece]}:`{piece}`{after}")
            else:
                made.append(re.sub(r"([\\*`|_])", r"\\\1", piece))
        return "".join(made)

    def doc(self, text: str, indent: str) -> list:
        """The comment of a function: sentences, formulas (indented), then entries: a name at the margin, its text to the right."""
        lines, out = text.split("\n"), []
        paragraph, formula, entries = [], [], []

        def flush():
            if paragraph:
                out.extend([self.text(" ".join(paragraph)), ""])
                paragraph.clear()
            if formula:
                width = min(len(line) - len(line.lstrip()) for line in formula)
                out.extend([".. code-block:: none", "", *("   " + line[width:] for line in formula), ""])
                formula.clear()

        for line in lines:
            entry = re.match(r"(\S(?:.{0,30}?\S)?) {2,}(\S.*)$", line)
            if entry and not line.startswith(" "):
                flush()
                entries.append([entry.group(1), [entry.group(2)], []])
            elif entries and line.startswith(" " * 4) and line.strip():
                entries[-1][1].append(line.strip())
            elif entries and line.strip():
                entries[-1][1].append(line.strip())
            elif line.startswith("    ") and not entries:
                if paragraph:
                    flush()
                formula.append(line)
            elif line.strip():
                if formula:
                    flush()
                paragraph.append(line.strip())
            else:
                flush()
        flush()
        for name, body, _ in entries:
            out.extend([f"**{self.text(name)}**", f"   {self.text(' '.join(body))}", ""])
        return [indent + line if line else "" for line in out]

    def c_type(self, t: header.CType, name: str) -> str:
        text = t.base
        for i, const in enumerate(t.pointers):
            text = (f"const {text}" if const and i == 0 else text + (" const" if const else "")) + " *"
            text = text.replace(" * *", " **")
        array = f"[{t.array}]" if t.array else ""
        return f"{text}{'' if text.endswith('*') else ' '}{name}{array}".strip()

    def pages(self) -> dict:
        source = header.HEADER.read_text().split("\n")
        sections = [(0, "Versions")]
        for number, line in enumerate(source, 1):
            match = re.match(r"/\* -{8,} (.+?) -{4,} \*/", line)
            if match:
                sections.append((number, match.group(1)))

        def section_of(line):
            return max(i for i, (first, _) in enumerate(sections) if first <= line)

        bodies = [[] for _ in sections]
        items = [(g.constants[0].line, self.constants, g) for g in self.model.groups]
        items += [(x.line, self.opaque, x) for x in self.model.opaques]
        items += [(x.line, self.alias, x) for x in self.model.aliases]
        items += [(x.line, self.callback, x) for x in self.model.callbacks]
        items += [(x.line, self.struct, x) for x in self.model.structs]
        items += [(x.line, self.function, x) for x in self.model.functions]
        for line, make, item in sorted(items, key=lambda entry: entry[0]):
            bodies[section_of(line)].extend(make(item))
        pages, names = {}, []
        for (_, title), body in zip(sections, bodies):
            if not body:
                continue
            title = title[0].upper() + title[1:]
            name = re.sub(r"[^a-z]+", "-", title.lower()).strip("-")
            names.append(name)
            pages[f"api/{name}.rst"] = "\n".join([title, "=" * len(title), "", *body, ""])
        top = header.clean(re.search(r"/\*\*.*?\*/", "\n".join(source), re.S).group())
        pages["api/index.rst"] = "\n".join(
            ["The C API", "=========", "", "From ``vastmax.h``, in its order. Conventions that hold for every function are in "
             ":doc:`the contract </contract>`.", "", ".. toctree::", "   :maxdepth: 1", "", *("   " + n for n in names), ""])
        pages["api/conventions.txt"] = top
        return pages

    def constants(self, group: header.Group) -> list:
        out = [self.text(group.doc.replace("\n", " ")), ""] if group.doc and group.name else []
        for one in group.constants:
            out += [f".. c:macro:: {one.name}", "", f"   Value {one.value}. {self.text(' '.join(one.doc.split())) if one.doc != group.doc or not group.name else ''}".rstrip(), ""]
        return out

    def opaque(self, opaque: header.Opaque) -> list:
        return [f".. c:struct:: {opaque.name}", "", *self.doc(opaque.doc, "   ")]

    def alias(self, alias: header.Alias) -> list:
        return [f".. c:type:: {self.c_type(alias.type, '')} {alias.name}".replace("  ", " "), "", *self.doc(alias.doc, "   ")]

    def callback(self, callback: header.Callback) -> list:
        params = ", ".join(self.c_type(p.type, p.name) for p in callback.params)
        return [f".. c:type:: {self.c_type(callback.result, '')} (*{callback.name})({params})", "", *self.doc(callback.doc, "   ")]

    def struct(self, struct: header.Struct) -> list:
        out = [f".. c:struct:: {struct.name}", "", *self.doc(struct.doc, "   ")]
        for field in struct.fields:
            out += [f"   .. c:member:: {self.c_type(field.type, field.name)}", ""]
            if field.doc:
                out += [f"      {self.text(' '.join(field.doc.split()))}", ""]
        return out

    def function(self, function: header.Function) -> list:
        params = ", ".join(self.c_type(p.type, p.name) for p in function.params) or "void"
        return [f".. c:function:: {self.c_type(function.result, function.name)}({params})", "", *self.doc(function.doc, "   ")]

    def bounds(self) -> list:
        """A row for each function whose comment has an Error entry."""
        rows = ["| function | error bound |", "|---|---|"]
        for function in self.model.functions:
            match = re.search(r"^Error {2,}(.*?)(?=^\S|\Z)", function.doc, re.S | re.M)
            if match:
                text = " ".join(match.group(1).split()).replace("|", "\\|").replace("*", "\\*")
                rows.append(f"| `{function.name}` | {text} |")
        return rows


def conventions(text: str) -> str:
    """The comment at the head of the header: its bullets, as Markdown."""
    bullets = text[text.index("  - "):]
    items = [" ".join(item.split()) for item in re.split(r"^ *- ", bullets, flags=re.M) if item.strip()]
    escaped = [re.sub(r"([*_|<>])", r"\\\1", item) for item in items]
    return "\n".join(f"- {item}" for item in escaped)


# ------------------------------------------------------------------------------------------------ the Julia API


def julia_api() -> str:
    source = ROOT / "bindings" / "julia" / "Vastmax" / "src"
    order = re.findall(r'^include\("(\w+\.jl)"\)', (source / "Vastmax.jl").read_text(), re.M)
    exported = " ".join(re.findall(r"^export (.*?)(?=^export|^\n|\Z)", (source / "Vastmax.jl").read_text(), re.M | re.S))
    out = ["# Vastmax.jl: all functions", "", "From the docstrings, as `?name` shows them.", ""]
    count = 0
    for file in order:
        if file == "raw.jl":
            continue
        for match in re.finditer(r'^"""\n(.*?)^"""\n(\S[^\n]*)$', (source / file).read_text(), re.M | re.S):
            text = match.group(1)
            signature, _, body = text.partition("\n\n")
            names = re.findall(r"^    (?:Vastmax\.)?([^\s({:,]+)", signature, re.M)
            if not names:
                raise SystemExit(f"{file}: a docstring without a signature: {signature}")
            if body.strip():
                body = re.sub(r"\[(`[^`]+`)\]\(@ref\)", r"\1", body)
                body = re.sub(r"^```jldoctest", "```julia", body, flags=re.M)
                block = "\n".join(line[4:] for line in signature.split("\n"))
                out += [f"## `{names[0]}`", "", "```julia", block, "```", "", body.strip(), ""]
                count += 1
    if count < 60 or "softmax!" not in exported:
        raise SystemExit(f"prepare.py: only {count} docstrings found in {source}")
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--accuracy", type=Path, required=True)
    parser.add_argument("--python-api", type=Path)
    arguments = parser.parse_args()
    out = arguments.out
    shutil.rmtree(out, ignore_errors=True)
    (out / "extra").mkdir(parents=True)
    shutil.copy(SITE / "conf.py", out)
    write_pages(out)

    c = CPages(header.load())
    pages = c.pages()
    top = pages.pop("api/conventions.txt")
    (out / "api").mkdir()
    for name, text in pages.items():
        (out / name).write_text(text)
    fill = {"conventions": conventions(top), "bounds": "\n".join(c.bounds()), "accuracy": arguments.accuracy.read_text().strip()}
    for page in ("contract.md", "accuracy.md"):
        text = (out / page).read_text()
        for name, content in fill.items():
            text = text.replace(f"<!-- {name} -->", content)
        (out / page).write_text(text)
    (out / "languages" / "julia_api.md").write_text(julia_api())
    if arguments.python_api:
        shutil.copy(arguments.python_api, out / "languages" / "python_api.rst")


if __name__ == "__main__":
    main()
