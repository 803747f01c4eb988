"""What we ask of a vision transformer and of ResNet20 that fit MNIST equally well, with and without weight decay.

NC1 is compared in orders of magnitude: means over seeds of log10. Equal accuracy is a training accuracy of 1 at the end
of a training whose step size has fallen to 0; the course before is compared as both first fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nc_runner.config.choices import DataName
from nc_runner.config.keys import flatten
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Results, Statement
from nc_runner.experiments.noise.contrast import Comparison, Contrast, known, welch
from nc_runner.experiments.ours.architecture import RESNET, VIT, architecture, shown

DECAY = "train.weight_decay"
NC1, NC3 = "nc1_within_between_trace_ratio", "nc3_min_self_duality_cosine"
NC2 = "nc2_etf_cosine_deviation_class_means"
ORDERS = "log10 of NC1"
ALIKE = 0.5  # [choice] orders of magnitude: NC1 within a factor of about 3
ALIGNED = 0.95  # [choice] least cosine over the classes of a row of the classifier and its class mean
SPREAD = 0.1  # [choice] mean deviation of the class means' cosines from -1/(K - 1)
FITS = 0.99  # [choice] training accuracy from which a network first fits: probes are apart, and some step over 1

Arms = Mapping[Any, pd.DataFrame]
"""The rows of trials by (network, weight decay)."""

PAPYAN = "Papyan, Han and Donoho 2020: ResNets at the terminal phase of training"
DECAYS = "Pan and Cao 2023: BatchNorm and weight decay drive collapse"
TRANSFORMER = "Dosovitskiy et al. 2021: no BatchNorm in a ViT, but LayerNorm"
BEYOND = "beyond noise, at every weight decay above 0; one outside beyond noise counts against it"


def with_decay(results: Results) -> pd.Series[bool]:
    """Which trials have a weight decay."""
    of = results.trials
    decays: pd.Series[bool] = of.get(DECAY, pd.Series(flatten(results.config)[DECAY], of.index)).astype(float) > 0
    return decays


def where_decayed(check: needs.Check) -> needs.Check:
    """The need of the trials that have a weight decay."""
    return lambda results: check(results.only(with_decay(results)))


_FIT = (needs.interpolates, needs.data_is(DataName.mnist), needs.seeds(3))
_END = (*_FIT, *map(where_decayed, (needs.decay_times(), needs.decay_times_since_it_fits())))


def of_each(id: str, short: str, text: str, source: str, rule: str) -> dict[str, Statement]:
    """A statement of each network, whose name stands for {}."""
    return {
        name: Statement(
            f"{id}_{shown(name).lower()}",
            short.format(shown(name)),
            text.format(shown(name)),
            source,
            rule,
            _END,
            Kind.ours,
        )
        for name in (RESNET, VIT)
    }


LOWERS = of_each(
    "decay_lowers_nc1",
    "{}: weight decay lowers NC1",
    "Weight decay lowers NC1 of {} where both trainings end at a training accuracy of 1.",
    f"ours; of {DECAYS}, stated of networks with BatchNorm",
    f"log10 NC1 without weight decay less that with it is above 0 {BEYOND}",
)
SAME_FALL = Statement(
    "decay_lowers_nc1_alike",
    "weight decay lowers NC1 as much in both",
    "Weight decay lowers NC1 by as many orders of magnitude in the ViT as in ResNet20.",
    f"ours; of {DECAYS}; {TRANSFORMER}",
    f"the fall of log10 NC1 in the ViT less that in ResNet20 is within {ALIKE:g} orders [choice] {BEYOND}",
    _END,
    Kind.ours,
)
SAME_WITH = Statement(
    "nc1_alike_with_decay",
    "NC1 is alike in both with weight decay",
    "With the same weight decay, ViT and ResNet20 collapse alike where both fit all training samples.",
    f"ours; of {PAPYAN}; {TRANSFORMER}",
    f"log10 NC1 of the ViT less that of ResNet20 is within {ALIKE:g} orders [choice] {BEYOND}",
    _END,
    Kind.ours,
)
SAME_WITHOUT = Statement(
    "nc1_alike_without_decay",
    "NC1 is alike in both without weight decay",
    "Without weight decay, ViT and ResNet20 collapse alike after equal trainings where both fit all training samples.",
    f"ours; of {PAPYAN}; {TRANSFORMER}",
    f"log10 NC1 of the ViT less that of ResNet20 is within {ALIKE:g} orders [choice] beyond noise; outside it "
    "beyond noise counts against it",
    _FIT,
    Kind.ours,
)
FIRST_FIT = Statement(
    "nc1_alike_at_first_fit",
    "NC1 is alike in both as they first fit",
    "ViT and ResNet20 are alike when they first fit; what tells them apart comes after.",
    f"ours; of {PAPYAN}",
    f"at each trial's first probe with a training accuracy of {FITS:g} [choice] or more, log10 NC1 of the ViT less "
    f"that of ResNet20 is within {ALIKE:g} orders [choice] beyond noise, at every weight decay, 0 too; one outside "
    "beyond noise counts against it",
    _FIT,
    Kind.ours,
)
ALIGNS = of_each(
    "nc3_aligns",
    "{}: NC3 aligns with weight decay",
    "With weight decay the rows of the classifier of {} align with the class means.",
    f"ours; of {PAPYAN}, NC3",
    f"the least cosine over the classes, both centred, is above {ALIGNED:g} [choice] {BEYOND}",
)
ANGLES = of_each(
    "nc2_angles",
    "{}: class means at an ETF's angles",
    "With weight decay the class means of {} stand at the angles of a simplex ETF.",
    f"ours; of {PAPYAN}, NC2",
    f"the mean deviation of the cosines of the centred class means from -1/(K - 1) is below {SPREAD:g} [choice] "
    f"{BEYOND}",
)


def claims(results: Results) -> list[Claim]:
    """What weight decay does, whether the networks are alike, and how far each is from an ETF."""
    end = arms(fitted(results))
    return [
        *(lowers(results, end, name) for name in LOWERS),
        falls_alike(results, end),
        alike(results, SAME_WITH, {arm: rows for arm, rows in end.items() if arm[1] > 0}, with_decay(results)),
        alike(results, SAME_WITHOUT, {arm: rows for arm, rows in end.items() if arm[1] == 0}, ~with_decay(results)),
        alike(results, FIRST_FIT, arms(at_first_fit(results))),
        *(level(results, end, statement, name, NC3, (ALIGNED, math.inf)) for name, statement in ALIGNS.items()),
        *(level(results, end, statement, name, NC2, (-math.inf, SPREAD)) for name, statement in ANGLES.items()),
    ]


def fitted(results: Results) -> pd.DataFrame:
    """The final rows of the trials that fit all training samples, with ``network`` and log10 of NC1."""
    return named(results, results.final())


def at_first_fit(results: Results) -> pd.DataFrame:
    """Of the same trials the first probe with a training accuracy of :data:`FITS`."""
    table = results.by_epoch()
    known = (results.metrics["metric"] == "accuracy").any()  # else the table has that of the end
    fits = table["accuracy"] >= FITS if known else pd.Series(False, table.index)
    return named(results, table[fits].groupby("id", sort=False).head(1))


def named(results: Results, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of trials that fit, with ``network``, log10 of NC1, and NaN for what was not measured."""
    table = table[table["status"] == "interpolated"].reset_index(drop=True)
    table["network"] = architecture(results, table)
    for key, otherwise in ((DECAY, flatten(results.config)[DECAY]), (NC1, math.nan), (NC2, math.nan), (NC3, math.nan)):
        table[key] = table[key].astype(float) if key in table else otherwise
    with np.errstate(divide="ignore", invalid="ignore"):
        return table.assign(**{ORDERS: np.log10(table[NC1])})


def arms(table: pd.DataFrame) -> Arms:
    """The rows, one a seed, by network and weight decay."""
    return dict(list(table.groupby(["network", DECAY])))


def fall(end: Arms, name: str) -> dict[float, list[tuple[float, ArrayLike]]]:
    """Of a network the orders by which NC1 is lower with each weight decay than without, as the terms of a contrast."""
    without = end.get((name, 0.0))
    decays = [decay for network, decay in end if network == name and decay > 0 and without is not None]
    return {decay: [(1.0, end[name, 0.0][ORDERS]), (-1.0, end[name, decay][ORDERS])] for decay in decays}


def lowers(results: Results, end: Arms, name: str) -> Claim:
    """By how many orders weight decay lowers NC1 of a network."""
    found = {at(decay): welch(*terms) for decay, terms in fall(end, name).items()}
    return judged(results, of_network(results, name), LOWERS[name], found, (0.0, math.inf), " orders")


def falls_alike(results: Results, end: Arms) -> Claim:
    """The fall with weight decay in the one network less that in the other."""
    of_vit, of_resnet = fall(end, VIT), fall(end, RESNET)
    found = {
        at(decay): welch(*of_vit[decay], *((-weight, values) for weight, values in of_resnet[decay]))
        for decay in of_vit
        if decay in of_resnet
    }
    return judged(results, of_network(results, VIT, RESNET), SAME_FALL, found, (-ALIKE, ALIKE), " orders")


def alike(results: Results, statement: Statement, of: Arms, trials: pd.Series[bool] | bool = True) -> Claim:
    """NC1 of the one network over that of the other, at each weight decay of these arms."""
    found = {
        at(decay): welch((1.0, rows[ORDERS]), (-1.0, of[RESNET, decay][ORDERS]))
        for (name, decay), rows in of.items()
        if name == VIT and (RESNET, decay) in of
    }
    rows = of_network(results, VIT, RESNET) & trials
    return judged(results, rows, statement, found, (-ALIKE, ALIKE), " orders")


def level(
    results: Results, end: Arms, statement: Statement, name: str, metric: str, limits: tuple[float, float]
) -> Claim:
    """A measure of a network at each weight decay above 0."""
    found = {
        at(decay): welch((1.0, rows[metric])) for (network, decay), rows in end.items() if network == name and decay > 0
    }
    return judged(results, of_network(results, name) & with_decay(results), statement, found, limits, "")


def judged(
    results: Results, rows: pd.Series[bool], statement: Statement, found: Mapping[str, Contrast],
    limits: tuple[float, float], unit: str,
) -> Claim:  # fmt: skip
    """A statement that contrasts, by the weight decay, lie within limits; ``rows`` are the trials that it speaks of."""
    of, whole = results.only(rows), needs.grid_complete("model.name", DECAY)(results)
    if not found:
        return statement.judged(of, None, "no two trainings that fit to compare", needs=[whole])
    compared = Comparison(found, *limits)
    said = [f"{c.mean:.3g}{unit} at {name} (noise {known(c.noise())})" for name, c in found.items()]
    number = f"{compared.worst[1].mean:.2g}{unit}"
    return statement.judged(of, compared.all_within, ", ".join(said), number, [whole, compared.told])


def of_network(results: Results, *names: str) -> pd.Series[bool]:
    """The trials of networks of these names."""
    return architecture(results, results.trials).isin(names)


def at(decay: float) -> str:
    """A weight decay in words."""
    return f"λ = {decay:g}" if decay else "no weight decay"
