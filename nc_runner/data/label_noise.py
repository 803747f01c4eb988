"""Wrong labels: a share of the samples gets a label that is not its own."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_runner.rng import generator


def with_noise(y: Tensor, classes: int, share: float, seed: int) -> Tensor:
    """Labels int64 [N] of which round(share N) are wrong, each any other with equal chance; one draw a seed.

    Symmetric label noise (Zhang et al. 2017, "Understanding deep learning requires rethinking generalization"), but
    with none of the wrong labels right by chance. With one seed the samples of a smaller share are among those of a
    larger one, with the same wrong labels.
    """
    random = generator(seed, "label noise")
    order, shift = torch.randperm(len(y), generator=random), torch.randint(1, classes, (len(y),), generator=random)
    wrong = order[: round(share * len(y))]
    noisy = y.clone()
    noisy[wrong] = (y[wrong] + shift[wrong]) % classes
    return noisy
