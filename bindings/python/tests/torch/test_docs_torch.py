# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings of vastmax.torch, and the README's blocks about it."""

import doctest
import re
from pathlib import Path
from types import ModuleType

import pytest

import vastmax.torch
from vastmax.torch import _functional, _modules

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.mark.parametrize("module", [vastmax.torch, _functional, _modules], ids=lambda m: m.__name__)
def test_examples(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_public_name_has_an_example() -> None:
    for name in vastmax.torch.__all__:
        assert ">>>" in getattr(vastmax.torch, name).__doc__, name


def test_readme() -> None:
    found = [b for b in re.findall(r"^```python\n(.*?)^```", README.read_text(), re.M | re.S) if "torch" in b]
    assert found
    for block in found:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102
