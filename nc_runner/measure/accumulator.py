"""Statistics of the classes of a stream of features: in batches, in one pass, on several machines."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nc_runner.metrics._blocks import Workspace, blocks
from nc_runner.metrics.ood import out_of_distribution_cosine_of

from ._classes import Classes, settings_of
from ._measures import measures
from ._merge import merge
from ._samples import as_samples, as_tensor, check_finite
from ._sums import Sums


class Accumulator:
    """What every measure of one pass needs of features: counts, means and scatter of the classes, in O(K D).

    ::

        seen = Accumulator()
        for batch, labels in loader:
            seen.update(network(batch), labels)
        seen.compute()["within_between_trace_ratio"]

    Features of any floating dtype are summed in float64 about a sample of their class, so that nothing is lost near
    collapse, far from the origin, or where one class is much larger than another; see ``nc_runner.metrics._moments``.
    Any order and split of the samples gives the same numbers up to float64's rounding.

    Args:
        classes: the labels there are, so that one without a sample is noticed; else every label that comes, from 0 on.
        ignore_index: a label whose samples are left out, such as -100 of padding.
        min_count: leave out classes with fewer samples than this; see ``left_out``. Without it a class of ``classes``
            that has no sample is refused.
        directions: also sum unit features, for cosines, in another K D numbers.
        covariance: also sum the classes' common covariance S_W in D^2 numbers, for measures by pseudo-inverse.
        device: where the sums are held; else where the first features are.

    Raises:
        ValueError: classes named twice, or a min_count that does not fit.
    """

    def __init__(
        self,
        *,
        classes: Iterable[int] | None = None,
        ignore_index: int | None = None,
        min_count: int | None = None,
        directions: bool = False,
        covariance: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        if min_count is not None and min_count < 1:
            raise ValueError(f"min_count is {min_count}; it must be at least 1.")
        if covariance and min_count is not None and min_count > 2:
            raise ValueError(
                f"min_count is {min_count}; with covariance=True it must be at most 2, as S_W is one sum over all "
                "classes: leave out the samples of rare classes beforehand."
            )
        self.directions, self.covariance, self.min_count = directions, covariance, min_count
        self._device = None if device is None else torch.device(device)
        self._classes = Classes(classes, ignore_index)
        self._room: Sums | None = None  # with room for classes to come
        self._workspace = Workspace()

    def update(self, features: Tensor | ArrayLike, labels: Tensor | ArrayLike) -> None:
        """Take in samples: features `[N, D]` and labels `[N]`, or `[B, T, D]` and `[B, T]`. All of them, or none.

        Raises:
            ValueError: wrong shape, dtype or width, a label that is no class, NaN or inf in a feature that counts.
        """
        features, labels = as_samples(features, labels)
        self._device = features.device if self._device is None else self._device
        features, labels = features.to(self._device), labels.to(self._device)
        self._check_width(features.shape[1])
        kept = self._classes.kept(labels)
        check_finite(features, kept)
        counted = labels if kept is None else labels[kept]
        if not len(counted):
            return
        sums = self._make_room(self._classes.check(counted), features.shape[1], features.dtype)
        places = self._classes.places(labels if kept is None else labels.where(kept, counted[0]))
        sums.set_pivots(features, places, kept)
        for block in blocks(features[None], workspace=self._workspace):
            where = places[block.samples]
            if kept is not None:
                some = kept[block.samples]
                if not bool(some.any()):
                    continue
                where, block = where[some], block.chosen(some)
            sums.add(block, where)
        sums.moments.count += (places if kept is None else places[kept]).bincount(minlength=len(self._classes))

    def check_merge(self, other: Accumulator) -> None:
        """ValueError where ``merge`` would refuse the other one; nothing is changed."""
        for name in ("directions", "covariance"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"{name} is {getattr(self, name)} here and {getattr(other, name)} there; it must agree."
                )
        if other._room is not None:
            self._check_width(other.width)
            self._classes.check(other._classes.labels)

    def merge(self, other: Accumulator) -> None:
        """Take in what another one has seen, about its own pivots (Chan, Golub & LeVeque, 1983); it is left as it is.

        Raises:
            ValueError: it sums something else, features of another width, or a label that is no class here.
        """
        self.check_merge(other)
        if other._room is None:
            return
        theirs = other._sums()
        self._device = theirs.moments.total.device if self._device is None else self._device
        labels = other._classes.labels
        merge(
            self._make_room(self._classes.check(labels), other.width, theirs.moments.pivot.dtype),
            theirs.to(self._device),
            self._classes.places(labels),
        )

    def state(self) -> dict[str, Tensor]:
        """All that it holds as tensors, to be saved by torch.save or safetensors; ``from_state`` makes it again."""
        settings = self._classes.state(directions=self.directions, covariance=self.covariance, min_count=self.min_count)
        return settings if self._room is None else settings | self._sums().state()

    @staticmethod
    def from_state(state: dict[str, Tensor], *, device: torch.device | str | None = None) -> Accumulator:
        """One that goes on where the other's ``state`` was taken."""
        made = Accumulator(**settings_of(state), device=device)
        if "count" in state:
            made._classes.add(state["labels"][len(made._classes) :])
            made._room = Sums.from_state(state)
            made._room = made._room if made._device is None else made._room.to(made._device)
            made._device = made._room.moments.total.device
        return made

    def compute(
        self,
        weight: Tensor | ArrayLike | None = None,
        *,
        pairs: bool = True,
        out_of_distribution: Accumulator | None = None,
    ) -> dict[str, Tensor]:
        """Every measure that these sums give, by the name of its function in ``nc_runner.metrics``; float64 scalars.

        Args:
            weight: `[K, D]` of the classifier, a row a class in the order of ``classes``; with it there are NC3 and
                the measures of the rows.
            out_of_distribution: what has seen other features, under any labels; with it there is NC5.
            pairs: also what is of all pairs of classes, which takes K^2 D operations, though no K x K matrix.

        Raises:
            ValueError: no sample yet, a named class without one, or a weight that does not fit.
        """
        sums = self.statistics()
        found = measures(sums, None if weight is None else as_tensor("weight", weight), pairs=pairs)
        if out_of_distribution is not None:
            self._check_width(out_of_distribution.width)
            other = out_of_distribution.statistics().to(sums.moments.total.device)
            found["out_of_distribution_cosine"] = out_of_distribution_cosine_of(sums.moments, other.moments)
        return dict(sorted(found.items()))

    @property
    def width(self) -> int:
        """D; 0 before the first sample."""
        return 0 if self._room is None else self._room.moments.pivot.shape[-1]

    @property
    def classes(self) -> Tensor:
        """The labels `[K]` of the classes measured, ascending, or in the order in which ``classes`` named them."""
        return self._classes.labels.to(self._sums().moments.count.device)[self._chosen()]

    @property
    def count(self) -> Tensor:
        """Numbers of samples `[K]` of ``classes``."""
        return self._sums().moments.count[self._chosen()]

    @property
    def means(self) -> Tensor:
        """Class means `[K, D]` of ``classes``, float64."""
        return self.statistics().moments.means()[0]

    @property
    def variances(self) -> Tensor:
        """Mean squared distance `[K]` of the samples of each of ``classes`` from their mean, float64."""
        of = self.statistics().moments
        return of.within()[0] / of.count

    @property
    def left_out(self) -> dict[int, int]:
        """Labels that have fewer than ``min_count`` samples, with how many they have."""
        if self.min_count is None or self._room is None:
            return {}
        pairs = zip(self._classes.labels.tolist(), self._sums().moments.count.tolist(), strict=True)
        return {label: count for label, count in sorted(pairs) if count < self.min_count}

    def statistics(self) -> Sums:
        """The sums of the classes that are measured, in the order of ``classes``; not to be changed.

        Raises:
            ValueError: there is no sample, or a named class has none.
        """
        return self._sums().chosen(self._chosen())

    def places(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Of labels `[N]`, which are of classes that are measured, and the place of each among ``classes``.

        Raises:
            ValueError: a label that no sample had.
        """
        found = self._classes.among(self._chosen(), labels)
        return found >= 0, found

    def _sums(self) -> Sums:
        if self._room is None:
            raise ValueError("there is no sample yet; update() takes them in.")
        return self._room.first(len(self._classes))

    def _chosen(self) -> Tensor:
        """The places of the classes that are measured."""
        return self._classes.chosen(self._sums().moments.count, self.min_count)

    def _make_room(self, new: Tensor, width: int, dtype: torch.dtype) -> Sums:
        """The sums of all classes, those of the labels ``new`` too."""
        self._classes.add(new)
        assert self._device is not None
        if self._room is None:
            asked = {"directions": self.directions, "covariance": self.covariance}
            self._room = Sums.of_nothing(width, self._device, **asked)
        self._room = self._room.with_room(len(self._classes), dtype)
        return self._sums()

    def _check_width(self, width: int) -> None:
        if self._room is not None and width != self.width:
            raise ValueError(f"features has {width} numbers a sample; it must have {self.width}, as before.")
