# SPDX-License-Identifier: Apache-2.0
"""The shared vectors: the same bits as every other language."""

import numpy as np
import pytest
from shared import Calls, Case, cases

CASES = cases()


def test_every_call_of_the_file_is_known() -> None:
    assert CASES
    assert {c.call for c in CASES} <= set(dir(Calls))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_bits(case: Case) -> None:
    got = Calls(case, np.copy, np.zeros_like).run()
    for name, want in case.outputs.items():
        have = np.asarray(got[name])
        assert have.dtype == want.dtype, name
        assert have.size == want.size, name
        assert have.tobytes() == want.tobytes(), name
