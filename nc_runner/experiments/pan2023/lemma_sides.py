"""The two sides of each lemma, of a row of numbers an instance: how numbers become one, and the instances made by hand.

Numbers and vectors have weights, so that one of them stands for any share of equal ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nc_runner import metrics, theory

NUMBERS = 8  # of Lemmas 2.4.1 and 2.4.3; the first half are S
VECTORS, DIM = 6, 3  # of Lemma 2.4.5
CLASSES, PER_CLASS = 4, 2  # of Lemma 2.4.4 and the theorems, in as many dimensions as classes
LEAST_SPREAD = 1e-4  # standard deviation of the numbers, below which rounding shows [choice]
ROUNDING = 1e-14  # of a cross-entropy, by which it is taken to be higher: eps is a difference [choice]


def deviations(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [N, 1] of weighted numbers, each less the mean [N, NUMBERS], and their weights."""
    numbers, weight = 2 * z[:, :NUMBERS], (2 * z[:, NUMBERS:]).softmax(-1)
    mean = (weight * numbers).sum(-1, keepdim=True)
    off = numbers - mean
    spread = (weight * off.square()).sum(-1, keepdim=True).sqrt()
    return mean, off * (LEAST_SPREAD / spread).clamp(min=1), weight


def in_subset(off: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """How far the mean of S is above that of all, S the first half or the second, whichever is above; its share."""
    halves = weight.unflatten(-1, (2, -1)).sum(-1)
    means = (weight * off).unflatten(-1, (2, -1)).sum(-1) / halves
    excess, which = means.max(-1)
    return excess, halves.gather(-1, which[:, None])[:, 0].clamp(max=1)


def subset_mean(z: Tensor) -> tuple[Tensor, Tensor]:
    """Lemma 2.4.1 for f(x) = log(1 + e^x), which the theorem's proof takes but for a shift of x."""
    mean, off, weight = deviations(z)
    excess, delta = in_subset(off, weight)
    slope = mean.sigmoid()
    # f(x) - f(mean) - f'(mean) (x - mean), whose mean is the gap, loses nothing for close x.
    gap = (weight * (torch.log1p(slope * torch.expm1(off)) - slope * off)).sum(-1).clamp(min=0)
    ends = torch.stack([(mean + off).amin(-1), (mean + off).amax(-1)])
    curvature = (ends.sigmoid() * (-ends).sigmoid()).amin(0)  # unimodal, so least at an end
    return excess, theory.subset_mean_deviation_bound(gap, delta, curvature)


def subset_excess(z: Tensor) -> tuple[Tensor, Tensor]:
    """Lemma 2.4.3."""
    mean, off, weight = deviations(z)
    excess, delta = in_subset(off, weight)
    gap = (weight * (torch.expm1(off) - off)).sum(-1) * mean[:, 0].exp()
    return excess, theory.subset_mean_excess_bound(gap, delta, mean[:, 0])


def two_values(share: float, apart: float) -> Tensor:
    """Numbers of which the first half, of this share, is ``apart`` from the others."""
    half = torch.ones(NUMBERS // 2, dtype=torch.float64)
    log_odds = math.log(share / (1 - share)) / 2
    return torch.cat([apart / 4 * half, -apart / 4 * half, log_odds * half, 0 * half])


def of_two_classes(z: Tensor) -> tuple[Tensor, Tensor]:
    """Features [N, 2 n, d] and the mean cosine over all pairs of each two classes [N, 2, 2], pair by pair."""
    features = z.unflatten(-1, (2 * CLASSES, -1))
    unit = features / torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    cosines = (unit[:, :, None] * unit[:, None]).sum(-1)
    return features, cosines.unflatten(-1, (2, -1)).unflatten(-3, (2, -1)).mean((-3, -1))


_OF_TWO = torch.arange(2).repeat_interleave(CLASSES)


def class_cosine(z: Tensor) -> tuple[Tensor, Tensor]:
    """Lemma 2.4.4 within a class; distances of the cosines from 1, which are positive."""
    features, cosines = of_two_classes(z)
    of_means = metrics.intra_class_cosine(features, _OF_TWO, centred=False, self_pairs=True)
    return 1 - cosines[:, 0, 0], 1 - of_means[:, 0]


def pair_cosine(z: Tensor) -> tuple[Tensor, Tensor]:
    """Lemma 2.4.4 between two classes."""
    features, cosines = of_two_classes(z)
    return 1 - cosines[:, 0, 1], 1 - metrics.inter_class_cosine(features, _OF_TWO, centred=False)[:, 0, 1]


def vectors(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lengths and weights [N, VECTORS], and directions [N, VECTORS, DIM]; w is the first unit vector, beta is 1."""
    length, weight, direction = z.split([VECTORS, VECTORS, VECTORS * DIM], -1)
    direction = direction.unflatten(-1, (VECTORS, DIM))
    return (
        (2 * length).exp(),
        (2 * weight).softmax(-1),
        direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True),
    )


def mean_direction(z: Tensor) -> tuple[Tensor, Tensor]:
    """Lemma 2.4.5; distances from 1, which are positive."""
    length, weight, direction = vectors(z)
    mean = torch.linalg.vector_norm((weight[..., None] * direction).sum(-2), dim=-1)
    along, alpha = (weight * length * direction[..., 0]).sum(-1), (weight * length.square()).sum(-1).sqrt()
    return 1 - mean, 1 - theory.mean_direction_norm_bound(along, alpha, 1.0)


def component(z: Tensor, *, positive: bool) -> tuple[Tensor, Tensor]:
    """1 - mean r, r = w . v/||v||, and 1 - c^2/alpha^2; w is turned so that c >= 0."""
    length, weight, direction = vectors(z)
    r = direction[..., 0].abs() if positive else direction[..., 0]
    along, moment = (weight * length * r).sum(-1), (weight * length.square()).sum(-1)
    return 1 - (weight * r).sum(-1) * along.sign(), 1 - along.square() / moment


def one_third_short(off: tuple[float, float]) -> Tensor:
    """Vectors of which two thirds are w, the others very short, in this direction."""
    aligned = 2 * VECTORS // 3
    length, direction = torch.zeros(VECTORS, dtype=torch.float64), torch.zeros(VECTORS, DIM, dtype=torch.float64)
    length[aligned:], direction[:aligned, 0] = -10.0, 1.0
    direction[aligned:, :2] = torch.tensor(off, dtype=torch.float64)
    return torch.cat([length, torch.zeros_like(length), direction.flatten()])


def classified(z: Tensor) -> tuple[Tensor, Tensor]:
    """A classifier [N, C, C] and features [N, C n, C], of which every C-th is of one class."""
    rows = z.unflatten(-1, (-1, CLASSES))
    return rows[:, :CLASSES], rows[:, CLASSES:]


LABELS = torch.arange(CLASSES).repeat(PER_CLASS)


def margin(z: Tensor) -> tuple[Tensor, Tensor]:
    """Ji et al., Theorem 3.1."""
    weight, features = classified(z)
    allowed = (z.square().sum(-1)) / (2 * (CLASSES - 1) * math.sqrt(PER_CLASS))
    return metrics.margins(features, LABELS, weight).amin(-1), allowed


def simplex() -> Tensor:
    """Collapse with ||W|| = ||H||, as an instance."""
    frame = torch.eye(CLASSES, dtype=torch.float64) - 1 / CLASSES
    return torch.cat([PER_CLASS**0.5 * frame, frame.repeat(PER_CLASS, 1)]).flatten()


def most_classes(z: Tensor) -> tuple[Tensor, Tensor]:
    """Theorem 2.3.1 at each delta = k/C, k < C, for the k-th least cosine; the k at which least is left.

    Instances are off a simplex of any size by any little, so that the bound is not vacuous; where it is, it is kept.
    """
    size, off_by, off = z[:, :1].exp(), (z[:, 1:2] - 6).exp(), z[:, 2:]
    weight, features = classified(size * (simplex() + off_by * off))
    logits = features @ weight.mT
    own = logits.gather(-1, LABELS[:, None].expand(len(z), -1, 1))[..., 0]
    loss = (logits.logsumexp(-1) - own).mean(-1)
    alpha = features.square().sum(-1).mean(-1).sqrt()
    beta = torch.linalg.matrix_norm(weight) / CLASSES**0.5
    delta = torch.arange(1, CLASSES, dtype=torch.float64) / CLASSES
    alpha, beta, loss = alpha[:, None], beta[:, None], loss[:, None] + ROUNDING
    allowed = 1 - theory.near_optimal_bounds(alpha, beta, loss, CLASSES, delta).intra_class_lower_bound
    intra = metrics.intra_class_cosine(features, LABELS, centred=False, self_pairs=True).sort(-1).values
    distance = (1 - intra[:, :-1]).where(allowed < 1, 0.0)
    worst = (distance / allowed).argmax(-1, keepdim=True)
    return distance.gather(-1, worst)[:, 0], allowed.gather(-1, worst)[:, 0]
