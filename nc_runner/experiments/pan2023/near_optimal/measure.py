"""Pan 2023, Theorem 2.3.1: a cross-entropy near its least value guarantees collapse, and how near it has to be."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nc_runner import metrics, theory
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import geometry
from nc_runner.experiments.pan2023.near_optimal.claims import ROUNDING
from nc_runner.models import Network


def measure(network: Network | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """What the theorem takes, alpha, beta and the loss, and what it bounds, all in float64, in eval mode.

    The theorem is for as many samples of each class and no bias. Every class is given equal weight in the averages:
    repeating the samples of class c in proportion to 1/n_c would balance the classes, and changes no cosine of
    unit-feature class means, self pairs included, so the theorem holds of these averages as it is [derived].
    A bias b is taken in as one more feature, s, with b/s for its weights, which leaves the logits as they are for any
    s > 0. The thesis has s = 1; here s^2 = alpha_h ||b||/||W||, which makes alpha beta, and with it the excess over
    m(alpha, beta), least: alpha beta = (alpha_h ||W||_F + ||b||)/sqrt(C) [derived]. ``augmented`` cosines are those of
    the features with s appended; without a bias s = 0. ``min_duality_cosine_augmented`` is the least cosine of a row of
    the weights, b/s appended, with the mean of its class's unit features, as the theorem's proof has it.
    """
    assert network is not None
    last = network.depth - 1
    features = dict(network.features(x))[last].double()
    raw_weight, raw_bias = network.output_layer()
    weight = raw_weight.double()
    bias = torch.zeros_like(weight[..., 0]) if raw_bias is None else raw_bias.double()
    fit = dict(geometry.fit(features @ weight.mT + bias[:, None], y))
    moment = dict(geometry.second_moment(features, y))["feature_second_moment_class_balanced"]

    weight_norm, bias_norm = torch.linalg.matrix_norm(weight), torch.linalg.vector_norm(bias, dim=-1)
    appended = (moment.sqrt() * bias_norm / weight_norm).sqrt()
    alpha = (moment + appended.square()).sqrt()
    beta = (moment.sqrt() * weight_norm + bias_norm) / (alpha * config.data.classes**0.5)
    augmented = torch.cat([features, appended[:, None, None].expand(*features.shape[:2], 1)], -1)
    for convention, of in (("augmented", augmented), ("uncentred", features)):
        intra = metrics.intra_class_cosine(of, y, centred=False, self_pairs=True)
        yield last, f"min_intra_cosine_{convention}", intra.amin(-1)
        if convention == "augmented":
            for k, value in enumerate(intra.sort(-1).values.unbind(-1), start=1):
                yield last, f"intra_cosine_augmented_{k}", value.where(~intra.isnan().any(-1), torch.nan)
        inter = metrics.inter_class_cosine(of, y, centred=False)
        pairs = ~torch.eye(inter.shape[-1], dtype=torch.bool, device=inter.device)
        yield last, f"max_inter_cosine_{convention}", inter[:, pairs].amax(-1)
    rows = torch.cat([weight, (bias / appended[:, None]).where(appended[:, None] > 0, 0.0)[..., None]], -1)
    of_unit = augmented / torch.linalg.vector_norm(augmented, dim=-1, keepdim=True)
    duality = metrics.self_duality_cosine(of_unit, y, rows, centred=False)
    yield last, "min_duality_cosine_augmented", duality.amin(-1)
    yield last, "appended_feature", appended
    for name, value in (*fit.items(), ("alpha", alpha), ("beta", beta)):
        yield None, name, value
    for name, value in theorem(alpha, beta, fit["loss_class_balanced"], config.data.classes):
        yield None, name, value


def theorem(alpha: Tensor, beta: Tensor, loss: Tensor, classes: int) -> Iterator[tuple[str, Tensor]]:
    """What Theorem 2.3.1 says of each trial [T]; NaN for a dead or diverged one, and with fewer than three classes.

    The bound is for delta = 1/C, and for every class: any smaller delta gives up no class, and the bound is continuous
    in delta [derived]. The loss is taken to be ``ROUNDING`` higher than it was measured. The sharper bounds are ours:
    ``_k`` is of the class with the k-th least cosine.
    """
    defined = alpha.isfinite() & (alpha > 0) & beta.isfinite() & (beta > 0) & loss.isfinite() & (classes >= 3)
    alpha, beta, loss = (value.where(defined, 1.0) for value in (alpha, beta, loss))
    bounds = theory.near_optimal_bounds(alpha, beta, loss + ROUNDING, max(classes, 3), 1 / max(classes, 3))
    least = theory.min_cross_entropy(alpha, beta, classes)
    given_up = torch.arange(1, classes + 1, dtype=torch.float64, device=alpha.device) / classes
    columns = alpha[:, None], beta[:, None], loss[:, None] + ROUNDING
    sharper = theory.sharper_near_optimal_bounds(*columns, max(classes, 2), given_up)
    for k, value in enumerate(sharper.intra_class_lower_bound.unbind(-1), start=1):
        yield f"sharper_intra_lower_bound_{k}", value.where(defined, torch.nan)
    yield "sharper_inter_upper_bound", sharper.inter_class_upper_bound[:, 0].where(defined, torch.nan)
    for name, value in (
        ("least_cross_entropy", least),
        ("eps", loss - least),
        ("intra_cosine_lower_bound", bounds.intra_class_lower_bound),
        ("vacuous_eps", bounds.vacuous_eps),
    ):
        yield name, value.where(defined, torch.nan)
