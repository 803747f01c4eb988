"""What needs the class means before the first sample: nearest means, margins, distances from the means."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nc_runner.metrics._blocks import Workspace, blocks
from nc_runner.metrics._inputs import check_weight
from nc_runner.metrics._nearest import NearestMean, lead
from nc_runner.metrics._scatter_matrix import directions_of
from nc_runner.metrics.probe import linear_probe_of

from ._measures import covariance_of
from ._samples import as_samples, as_tensor, check_finite
from .accumulator import Accumulator


class SecondPass:
    """A second pass over the samples, or one over others, by the class means of the first.

    ::

        second = SecondPass(seen, weight=head.weight, bias=head.bias)
        for batch, labels in loader:
            second.update(network(batch), labels)
        second.compute()["ncc_agreement"]

    Of other data than the means are of, as held-out samples, the measures are of these data and those means.

    Args:
        seen: what has had its first pass; it must not be updated in between.
        weight: `[K, D]` of the classifier, a row a class in the order of ``seen.classes``.
        bias: `[K]` of the classifier, where it has one.

    Raises:
        ValueError: there was no first pass, or weight or bias do not fit.
    """

    def __init__(self, seen: Accumulator, *, weight: Tensor | None = None, bias: Tensor | None = None) -> None:
        sums = seen.statistics()
        self._of = sums.moments
        self._seen = seen
        device = self._of.total.device
        if bias is not None and weight is None:
            raise ValueError("bias is given without weight; of a classifier both are needed.")
        places = torch.arange(len(self._of.count), device=device)
        rows = None if weight is None else check_weight(as_tensor("weight", weight).to(device), self._of.total, places)
        offset = None if bias is None else as_tensor("bias", bias).to(device, torch.float64)
        if offset is not None and rows is not None and offset.shape != rows.shape[:1]:
            raise ValueError(f"bias has shape {tuple(offset.shape)}; it must have shape ({len(rows)},).")
        batched = (None if part is None else part[None] for part in (rows, offset))
        self._weight, self._bias = batched
        self._nearest = NearestMean(self._of, self._weight, self._bias)
        self._means = self._of.means()
        self._scaled = directions_of(self._of)
        self._workspace = Workspace()
        self._probe = None if sums.scatter is None else linear_probe_of(self._of, covariance_of(sums))
        zero = torch.zeros((), dtype=torch.float64, device=device)
        self._sums = {
            name: zero.clone() for name in ("samples", "near", "agree", "distance", "trace", "margin", "probe")
        }
        self._least = torch.full_like(zero, torch.inf)

    def update(self, features: Tensor | ArrayLike, labels: Tensor | ArrayLike) -> None:
        """Take in samples as ``Accumulator.update`` does. Samples of a class that the first pass left out are left out.

        Raises:
            ValueError: wrong shape, dtype or width, a label that the first pass did not have, NaN or inf.
        """
        features, labels = as_samples(features, labels)
        if features.shape[1] != self._seen.width:
            raise ValueError(f"features has {features.shape[1]} numbers a sample; it must have {self._seen.width}.")
        kept, places = self._seen.places(labels.to(self._of.total.device))
        features = features.to(self._of.total.device)
        check_finite(features, kept)
        step = self._nearest.rows_at_once()
        for start in range(0, len(features), step):
            some = kept[start : start + step]
            whole = bool(some.all())
            rows = features[start : start + step] if whole else features[start : start + step][some]
            if len(rows):
                self._add(rows, places[start : start + step][some])

    def merge(self, other: SecondPass) -> None:
        """Take in what another one, of the same first pass, has seen."""
        for name, value in other._sums.items():
            self._sums[name] += value.to(self._sums[name].device)
        self._least = torch.minimum(self._least, other._least.to(self._least.device))

    def _add(self, rows: Tensor, places: Tensor) -> None:
        """Rows `[n, D]` of classes at these places `[n]`."""
        sums = self._sums
        sums["samples"] += len(places)
        sums["near"] += self._nearest.owned(rows, places).sum()
        if self._weight is not None:
            sums["agree"] += self._nearest.owned(rows, None).sum()
        (block,) = blocks(rows[None], least_rows=len(rows), workspace=self._workspace)
        if self._weight is not None:
            margins = lead(block.rows @ self._weight.mT, places[None])
            sums["margin"] += margins.sum()
            self._least = torch.minimum(self._least, margins.amin())
        if self._probe is not None:
            weight, bias = self._probe
            sums["probe"] += ((block.rows[0] @ weight[0].T + bias[0]).argmax(dim=-1) == places).sum()
        within = block.rows.sub_(self._means.index_select(1, places))
        sums["distance"] += torch.linalg.vector_norm(within, dim=-1).sum()
        if self._scaled is not None:
            sums["trace"] += (within @ self._scaled).square_().sum()

    def compute(self) -> dict[str, Tensor]:
        """By the names of their functions in ``nc_runner.metrics``, float64 scalars, NaN where they are undefined.

        Raises:
            ValueError: no sample yet.
        """
        samples = self._sums["samples"]
        if not bool(samples):
            raise ValueError("there is no sample yet; update() takes them in.")
        mean = {name: value / samples for name, value in self._sums.items()}
        nan, defined = torch.full_like(samples, torch.nan), self._nearest.defined[0]
        between = torch.linalg.vector_norm(self._of.centred_means(), dim=-1).mean()
        found = {
            "ncc_accuracy": mean["near"].where(defined, nan),
            "within_class_variation": (mean["distance"] / between).where(defined, nan),
            "within_between_pinv_trace": nan if self._scaled is None else mean["trace"],
        }
        if self._probe is not None:
            found["linear_probe_accuracy"] = mean["probe"].where(self._probe[0].isfinite().all(), nan)
        if self._weight is not None:
            single = len(self._of.count) == 1
            found |= {
                "ncc_agreement": mean["agree"].where(defined & self._weight.isfinite().all(), nan),
                "min_margin": nan if single else self._least,
                "mean_margin": nan if single else mean["margin"],
            }
        return dict(sorted(found.items()))
