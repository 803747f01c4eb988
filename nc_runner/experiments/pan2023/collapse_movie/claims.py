"""What Figure 1.2 of Pan 2023 shows, NC1 to NC4 of Papyan, Han and Donoho (2020), as predicates over the movie."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from nc_runner.experiments.base import Claim, Need, Results, Statement
from nc_runner.experiments.needs import at_paper_sizes, decay_times, interpolates, plain_network
from nc_runner.experiments.pan2023.fits import fitting, measured, trained

SPREAD_FALL = 0.1  # [choice] of within to between class scatter, last frame to first, and its largest value at the end
ANGLE_TOLERANCE = 0.05  # [choice] mean |cos + 1/(C-1)| at the end
VERTEX_TOLERANCE = 0.2  # [choice] of the simplex's circumradius
DUALITY = 0.99  # [choice] least cosine of a classifier row with its class mean at the end
NEAREST_MEAN = 0.999  # [choice] accuracy of the nearest class mean at the end

PLANE_RATIO, RATIO = "plane_within_between_trace_ratio", "within_between_trace_ratio"
ANGLES, DISTANCE = "etf_cosine_deviation_class_means", "max_mean_to_vertex_distance"
DUALITY_CENTRED, DUALITY_UNCENTRED, NEAREST = (
    "min_self_duality_cosine_centred",
    "min_self_duality_cosine",
    "ncc_accuracy",
)
WORDS = {
    PLANE_RATIO: "tr S_W / tr S_B in the plane",
    RATIO: "in the whole space",
    ANGLES: "mean |cos + 1/(C-1)|",
    DISTANCE: "distance from the vertex",
    DUALITY_CENTRED: "least cosine",
    DUALITY_UNCENTRED: "uncentred",
    NEAREST: "accuracy of the nearest mean",
}
_SOURCE = "section 1.2, Figure 1.2; Papyan, Han and Donoho (2020)"

PERFECT = Statement(
    "perfect_training_accuracy",
    "the networks fit their training set",
    "The networks fit their training set.",
    "section 1.2, Figure 1.2",
    "every trial reaches train.target_accuracy",
    (at_paper_sizes("seeds"), trained(1)),
)
NC1 = Statement(
    "nc1_features_fall_onto_their_means",
    "features of a class fall onto their mean (NC1)",
    "Features of a class fall onto their class mean (NC1).",
    _SOURCE,
    f"tr S_W / tr S_B at the end at most {SPREAD_FALL:g} and at most {SPREAD_FALL:g} of its first value, in the plane "
    "and in the whole feature space [choice], in every trial that fits",
    (interpolates, plain_network, decay_times(), measured(PLANE_RATIO, RATIO)),
)
NC2 = Statement(
    "nc2_means_reach_the_simplex",
    "class means go to the vertices of a simplex (NC2)",
    "Class means go to the vertices of a simplex equiangular tight frame (NC2).",
    _SOURCE,
    f"both fall: mean |cos + 1/(C-1)| of the centred means to at most {ANGLE_TOLERANCE:g}, the largest distance of a "
    f"mean from its vertex to at most {VERTEX_TOLERANCE:g} circumradii [choice], in every trial that fits",
    (interpolates, plain_network, decay_times(), measured(ANGLES, DISTANCE)),
)
NC3 = Statement(
    "nc3_classifiers_align_with_means",
    "classifier rows align with their class means (NC3)",
    "Classifier rows align with their class means (NC3).",
    _SOURCE,
    f"the least cosine, both centred, rises to at least {DUALITY:g} [choice], in every trial that fits",
    (interpolates, plain_network, decay_times(), measured(DUALITY_CENTRED)),
)
NC4 = Statement(
    "nc4_nearest_mean_decides_alike",
    "the nearest class mean decides as the classifier (NC4)",
    "The classifier decides as the nearest class mean does (NC4).",
    _SOURCE,
    f"accuracy of the nearest class mean at the end at least {NEAREST_MEAN:g} [choice], in every trial that fits, "
    "where agreeing with the classifier is being right",
    (interpolates, plain_network, decay_times(), measured(NEAREST)),
)


def claims(results: Results) -> list[Claim]:
    """Perfect training accuracy, then NC1 to NC4 over the trials that reached it."""
    fits = fitting(results)

    def at_most(most: float, *, of_first: float = 1.0) -> Callable[[pd.DataFrame], bool]:
        """Falls to at most so much, and to less than a share of its first value, in every trial."""
        return lambda t: bool(
            ((t["last"] < t["first"]) & (t["last"] <= most) & (t["last"] <= of_first * t["first"])).all()
        )

    spread = at_most(SPREAD_FALL, of_first=SPREAD_FALL)
    return [
        perfect_accuracy(results),
        judged(fits, NC1, {PLANE_RATIO: spread, RATIO: spread}),
        judged(fits, NC2, {ANGLES: at_most(ANGLE_TOLERANCE), DISTANCE: at_most(VERTEX_TOLERANCE)}),
        judged(
            fits,
            NC3,
            {DUALITY_CENTRED: lambda t: bool(((t["last"] > t["first"]) & (t["last"] >= DUALITY)).all())},
            beside=DUALITY_UNCENTRED,
        ),
        judged(fits, NC4, {NEAREST: lambda t: bool((t["last"] >= NEAREST_MEAN).all())}),
    ]


def first_and_last(fits: Results, metric: str) -> pd.DataFrame:
    """The values ``first`` and ``last`` of a metric, and its number of ``frames``, of each trial."""
    rows = fits.metrics[fits.metrics["metric"] == metric].sort_values("epoch", kind="stable")
    by_trial = rows.groupby("trial")
    # Not groupby's own first and last, which pass over NaN.
    ends = {"first": by_trial["value"].agg(lambda v: v.iloc[0]), "last": by_trial["value"].agg(lambda v: v.iloc[-1])}
    return pd.DataFrame({**ends, "frames": by_trial["epoch"].nunique()})


def judged(
    fits: Results, statement: Statement, rules: dict[str, Callable[[pd.DataFrame], bool]], beside: str | None = None
) -> Claim:
    """A statement on the first and the last frame of several metrics, another told beside them."""
    tables = {metric: first_and_last(fits, metric) for metric in rules}
    frames = min((int(table["frames"].min()) if len(table) else 0) for table in tables.values())
    enough = Need("frames", "two or more in every trial", f"{frames}", frames >= 2)
    if frames == 0:
        return statement.judged(fits, None, "no trial that fits", needs=[enough])
    told = [*tables.values(), *([first_and_last(fits, beside)] if beside else [])]
    names = [*tables, *([beside] if beside else [])]
    measured = "; ".join(f"{WORDS[name]} {phrase(t)}" for name, t in zip(names, told, strict=True) if len(t))
    holds = all(rule(tables[metric]) for metric, rule in rules.items())
    return statement.judged(fits, holds, measured, phrase(next(iter(tables.values()))), [enough])


def phrase(table: pd.DataFrame) -> str:
    """First and last value of the trials, as a range where there are several."""

    def span(values: pd.Series[float]) -> str:
        low, high = f"{values.min(skipna=False):.3g}", f"{values.max(skipna=False):.3g}"
        return low if low == high else f"{low}..{high}"

    return f"{span(table['first'])} to {span(table['last'])}"


def perfect_accuracy(results: Results) -> Claim:
    """Every trial reaches perfect training accuracy."""
    done = results.only(results.trials["status"] != "unfinished")
    diverged = done.trials["status"] == "diverged"
    reached = done.trials["accuracy"].map("{:.2%}".format).mask(diverged, "none, as it diverged")
    fits = done.trials["status"] == "interpolated"
    said = f"training accuracy {', '.join(sorted(reached))}" if len(done.trials) else "no finished trial"
    holds = bool(fits.all()) if len(fits) else None
    return PERFECT.judged(done, holds, said, f"{fits.sum()} of {len(fits)} fit")
