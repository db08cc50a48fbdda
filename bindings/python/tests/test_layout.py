# SPDX-License-Identifier: Apache-2.0
"""The structs as the extension's compiler sees them, the functions it calls, and the constants."""

from pathlib import Path

from shared import VECTORS

import vastmax
from vastmax import _constants, _vastmax

SOURCES = Path(__file__).resolve().parents[1] / "src" / "ext"


def test_layout_is_that_of_c() -> None:
    table = {}
    for line in (VECTORS / "layout.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, first, second = line.split()
            table[name] = (int(first), int(second))
    assert len(table) > 100
    assert _vastmax._layout() == table


def test_every_function_is_bound() -> None:
    text = "".join(p.read_text() for p in SOURCES.glob("*.?pp"))
    # Options are made by the INIT macros of the same header; the call by vmx_context_options_init is there for all.
    missing = [f for f in _constants.FUNCTIONS if f not in text and not f.endswith("_init")]
    assert missing == []


def test_constants() -> None:
    assert vastmax.version_number() == _constants.VERSION
    assert vastmax.BLOCK == 4096
    assert vastmax.status_string(_constants.ERR_LABEL) not in ("", "unknown status")
