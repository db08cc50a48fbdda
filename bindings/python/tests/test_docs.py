# SPDX-License-Identifier: Apache-2.0
"""Every docstring's example is run, every public function has one or tells what it does, and the README's blocks work."""

import doctest
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vastmax

README = Path(__file__).resolve().parents[1] / "README.md"


def documented(module: Any = vastmax) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [(module.__name__, module)]
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value):
            found.append((name, value))
        if inspect.isclass(value):
            for member, inner in vars(value).items():
                if not member.startswith("_") and getattr(inner, "__doc__", None):
                    found.append((f"{name}.{member}", getattr(value, member)))
    return found


@pytest.mark.parametrize(("name", "value"), documented(), ids=lambda v: v if isinstance(v, str) else "")
def test_examples(name: str, value: Any) -> None:
    text = value.__doc__
    assert text and len(text.strip()) > 10, name
    namespace: dict[str, Any] = {"np": np, "vastmax": vastmax, **vars(vastmax)}
    test = doctest.DocTestParser().get_doctest(text, namespace, name, None, 0)
    function = type(value).__name__ in ("nb_func", "function")
    if function and "." not in name and name not in ("status_string", "version_number", "onednn_version"):
        assert test.examples, f"{name} has no example"
    result = doctest.DocTestRunner(verbose=False).run(test)
    assert result.failed == 0


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(), re.M | re.S)


def test_readme() -> None:
    plain = [b for b in blocks() if "torch" not in b]  # the others: tests/torch/test_docs_torch.py
    assert plain
    for block in plain:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102
