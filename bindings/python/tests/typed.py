# SPDX-License-Identifier: Apache-2.0
"""What mypy must see in the stubs: an array in gives that array's type back. Checked, not run."""

import array

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

import vastmax

x: npt.NDArray[np.float32] = np.zeros((2, 3), np.float32)
assert_type(vastmax.logsumexp(x), npt.NDArray[np.float32])
assert_type(vastmax.softmax(x, axis=0, temperature=2.0, out=x), npt.NDArray[np.float32])
assert_type(vastmax.log_softmax(array.array("f", [1.0])), "array.array[float]")
assert_type(vastmax.topk(x, 1).values, npt.NDArray[np.float32])
assert_type(vastmax.isas(), list[str])
assert_type(vastmax.Context(threads=2).isa, str)
assert_type(vastmax.Sampler.uniform(3), vastmax.Sampler)
assert_type(vastmax.Sampler.uniform(3).draw(1), vastmax.Draw)
assert_type(vastmax.softmax_workspace_size(x), int)
flags: int = vastmax.ROW_NAN | vastmax.ROW_INF
vastmax.logsumexp(x, temprature=1)  # type: ignore[call-arg]
vastmax.logsumexp(x, axis="last")  # type: ignore[arg-type]
