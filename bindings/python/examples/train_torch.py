# SPDX-License-Identifier: Apache-2.0
"""Ten lines that train: a table of 10,000 classes by its exact softmax loss, never storing a score matrix."""

import torch

import vastmax.torch

tower = torch.nn.Embedding(1000, 32)
loss = vastmax.torch.LinearCrossEntropy(32, 10_000)
optimizer = torch.optim.Adam([*tower.parameters(), *loss.parameters()], lr=0.02)
for step in range(60):
    users = torch.randint(1000, (256,), generator=torch.Generator().manual_seed(step))
    value = loss(tower(users), users * 7)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    if step % 20 == 0 or step == 59:
        print(f"step {step} loss {value.item():.4f}")
