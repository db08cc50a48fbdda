#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the Python API as reStructuredText from the docstrings of the installed package: run by a Python that has vastmax.
  python_api.py OUT"""

import importlib.util
import inspect
import re
import sys

import vastmax

SECTION = re.compile(r"(Args|Returns|Raises|Yields|Attributes|Shape):$")


def escape(text):
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def entries(lines):
    """The lines below "Args:" as names with their texts; a text without a name has the name ""."""
    found, margin = [], min(len(line) - len(line.lstrip()) for line in lines)
    for line in lines:
        text = line[margin:]
        name = re.match(r"([\w.\[\]*, ]+): (.*)", text)
        if name and not text.startswith(" "):
            found.append([name.group(1), [name.group(2)]])
        elif found and (text.startswith(" ") or found[-1][0] == ""):
            found[-1][1].append(text.strip())
        else:
            found.append(["", [text.strip()]])
    return [(name, " ".join(text)) for name, text in found]


def body(doc):
    """Paragraphs as text, sections as lists, examples and tables as they stand."""
    out = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(doc or "").strip()):
        lines = block.split("\n")
        if not block.strip():
            continue
        if lines[0].lstrip().startswith(">>>"):
            out += [".. code-block:: pycon", "", *("   " + line for line in lines), ""]
        elif SECTION.match(lines[0]) and lines[1:]:
            out += [f"**{lines[0][:-1]}**", ""]
            for name, text in entries(lines[1:]):
                out += [f"- **{escape(name)}**: {escape(text)}" if name and lines[0] != "Returns:" else f"- {escape(name + ': ' if name else '')}{escape(text)}"]
            out += [""]
        elif any(line.startswith(" ") for line in lines) or any(re.search(r"\S {2,}\S", line) for line in lines):
            out += [".. code-block:: none", "", *("   " + line for line in lines), ""]
        else:
            out += [escape(" ".join(lines)), ""]
    return out


def signature(name, thing):
    doc = inspect.getdoc(thing) or ""
    first = doc.split("\n", 1)[0]
    if re.match(rf"{re.escape(name)}\(", first):  # what compiled functions have for a signature
        found, doc = first, doc.split("\n", 1)[1] if "\n" in doc else ""
    else:
        try:
            found = f"{name}{inspect.signature(thing)}"
        except (TypeError, ValueError):
            found = f"{name}()"
    found = re.sub(r"(: |-> )'([^']*)'", r"\1\2", found)  # annotations that are strings
    return re.sub(r"\b(vastmax\._typing|vastmax\._\w+|typing|torch)\.(?=[A-Z])", "", found), doc


def directive(kind, title, doc, indent=""):
    lines = [f".. py:{kind}:: {title}", "", *("   " + line if line else "" for line in body(doc))]
    return [indent + line if line else "" for line in [*lines, ""]]


def class_lines(name, thing):
    out = directive("class", name, inspect.getdoc(thing))
    for member, value in sorted(vars(thing).items()):
        value = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        if member.startswith("_") or not (callable(value) or isinstance(value, property)) or not inspect.getdoc(value):
            continue
        if callable(value):
            title, doc = signature(member, value)
            out += directive("method", title, doc, "   ")
        else:
            out += directive("property", member, inspect.getdoc(value), "   ")
    return out


def describe(module):
    """Headings with what stands below them."""
    groups = {"Functions": [], "Classes": [], "Errors": [], "Values": []}
    for name in sorted(n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")):
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            continue
        if inspect.isclass(thing):
            groups["Errors" if issubclass(thing, BaseException) else "Classes"] += class_lines(name, thing)
        elif callable(thing):
            groups["Functions"] += directive("function", *signature(name, thing))
        else:
            groups["Values"] += [f".. py:data:: {name}", f"   :value: {thing!r}", ""]
    return {heading: lines for heading, lines in groups.items() if lines}


def chapter(title, module, mark):
    out = [title, mark * len(title), "", f".. py:module:: {module.__name__}", ""]
    for heading, lines in describe(module).items():
        text = f"{heading} of {module.__name__}"
        out += [text, "-" * len(text), "", *lines]
    return out


def main():
    out = chapter("vastmax for Python: all functions", vastmax, "=")
    if importlib.util.find_spec("torch") and importlib.util.find_spec("vastmax.torch"):
        import vastmax.torch as with_torch

        out += chapter("vastmax.torch: all functions", with_torch, "=")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
