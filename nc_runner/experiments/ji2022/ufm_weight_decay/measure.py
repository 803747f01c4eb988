"""What is measured of free features and a classifier under weight decay."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner import metrics
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.ji2022.measures import centred
from nc_runner.experiments.measures import geometry
from nc_runner.models import ULPM


def measure(network: ULPM | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Gap, norms, loss, and the angles of neural collapse."""
    assert network is not None
    outputs = dict(network.features(x))
    features, logits, weight = outputs[1], outputs[2], network.output_layer()[0]
    own = logits.gather(-1, y[:, None].expand(*logits.shape[:-1], 1))[..., 0]
    others = (logits.sum(-1) - own) / (logits.shape[-1] - 1)
    means = centred(metrics.class_means(features, y))
    for name, value in (
        *geometry.fit(logits, y),
        ("logit_gap", (own - others).mean(-1)),
        ("least_margin", metrics.margins(features, y, weight).amin(-1)),
        ("weight_norm_squared", weight.square().sum((-2, -1))),
        ("feature_norm_squared", features.square().sum((-2, -1))),
        ("within_between_trace_ratio", metrics.within_between_trace_ratio(features, y)),
        ("etf_cosine_deviation_class_means", metrics.etf_cosine_deviation(means, centred=False)),
        ("etf_cosine_deviation_weights", metrics.etf_cosine_deviation(weight, centred=False)),
    ):
        yield None, name, value
