# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # shared


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
