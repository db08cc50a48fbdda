#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the Python API as reStructuredText from the docstrings of the installed package: run by a Python that has vastmax.
  python_api.py OUT"""

import importlib.util
import inspect
import re
import sys

import vastmax


def escape(text):
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def body(doc, indent):
    """Paragraphs as text, examples and tables as they stand."""
    out = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(doc or "").strip()):
        lines = block.split("\n")
        if not block.strip():
            continue
        if lines[0].lstrip().startswith(">>>"):
            out += [".. code-block:: pycon", "", *("   " + line for line in lines), ""]
        elif any(line.startswith(" ") for line in lines) or any(re.search(r"\S {2,}\S", line) for line in lines):
            out += [".. code-block:: none", "", *("   " + line for line in lines), ""]
        else:
            out += [escape(" ".join(lines)), ""]
    return [indent + line if line else "" for line in out]


def signature(name, thing):
    doc = inspect.getdoc(thing) or ""
    first = doc.split("\n", 1)[0]
    if re.match(rf"{re.escape(name)}\(", first):  # what compiled functions have for a signature
        return first, doc.split("\n", 1)[1] if "\n" in doc else ""
    try:
        return f"{name}{inspect.signature(thing)}", doc
    except (TypeError, ValueError):
        return f"{name}()", doc


def block(kind, title, doc, indent=""):
    lines = [f"{indent}.. code-block:: python", "", *(f"{indent}   {line}" for line in title.split("\n")), ""] if kind else []
    return lines + body(doc, indent)


def describe(module, prefix):
    out = []
    for name in sorted(n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")):
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            continue
        heading = f"``{prefix}.{name}``"
        out += [heading, "-" * len(heading), ""]
        if inspect.isclass(thing):
            out += block("class", f"class {name}", inspect.getdoc(thing))
            for member, value in sorted(vars(thing).items()):
                if member.startswith("_") or not (callable(value) or isinstance(value, property)) or not inspect.getdoc(value):
                    continue
                if callable(value):
                    title, doc = signature(member, value)
                else:
                    title, doc = member, inspect.getdoc(value)
                out += [f"``{name}.{member}``", "", *block("method", title, doc)]
        elif callable(thing):
            title, doc = signature(name, thing)
            out += block("function", title, doc)
        else:
            out += [f"Value ``{thing!r}``.", ""]
    return out


def main():
    title = "vastmax for Python: all functions"
    out = [title, "=" * len(title), "", "From the docstrings, as ``help(vastmax)`` shows them.", ""]
    out += describe(vastmax, "vastmax")
    if importlib.util.find_spec("torch") and importlib.util.find_spec("vastmax.torch"):
        import vastmax.torch as with_torch

        out += describe(with_torch, "vastmax.torch")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
