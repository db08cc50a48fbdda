# SPDX-License-Identifier: Apache-2.0
"""vastmax for PyTorch's autograd: functions and modules over custom operators, on the CPU.

The operators (torch.ops.vastmax.*) have fake kernels, so that torch.compile keeps them in its graph. They use as many threads
as torch.get_num_threads() says.

>>> import torch, vastmax.torch
>>> x = torch.zeros(1, 2, requires_grad=True)
>>> vastmax.torch.cross_entropy(x, torch.tensor([0])).backward()
>>> x.grad
tensor([[-0.5000,  0.5000]])
"""

from ._functional import (
    cross_entropy,
    in_batch_softmax,
    linear_cross_entropy,
    log_softmax,
    logsumexp,
    sampled_loss,
    softmax,
)
from ._modules import (
    BPRLoss,
    CCLLoss,
    CrossEntropyLoss,
    InBatchSoftmaxLoss,
    LinearCrossEntropy,
    NCELoss,
    NEGLoss,
    SampledSoftmaxLoss,
)

__all__ = [
    "BPRLoss",
    "CCLLoss",
    "CrossEntropyLoss",
    "InBatchSoftmaxLoss",
    "LinearCrossEntropy",
    "NCELoss",
    "NEGLoss",
    "SampledSoftmaxLoss",
    "cross_entropy",
    "in_batch_softmax",
    "linear_cross_entropy",
    "log_softmax",
    "logsumexp",
    "sampled_loss",
    "softmax",
]
