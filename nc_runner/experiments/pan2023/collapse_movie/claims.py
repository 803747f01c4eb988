"""What Figure 1.2 of Pan 2023 shows, NC1 to NC4 of Papyan, Han and Donoho (2020), as predicates over the movie."""

from __future__ import annotations

import pandas as pd

from nc_runner.experiments.base import Claim, Results

SPREAD_FALL = 0.1  # [choice] of within to between class scatter, last frame to first, and its largest value at the end
ANGLE_TOLERANCE = 0.05  # [choice] mean |cos + 1/(C-1)| at the end
VERTEX_TOLERANCE = 0.2  # [choice] of the simplex's circumradius
DUALITY = 0.99  # [choice] least cosine of a classifier row with its class mean at the end
NEAREST_MEAN = 0.999  # [choice] accuracy of the nearest class mean at the end
EPOCHS_TO_REFUSE = 100  # [choice] an imperfect trial of fewer epochs may only have been too short


def claims(results: Results) -> list[Claim]:
    """Perfect training accuracy, then NC1 to NC4 over the trials that reached it."""
    return [
        perfect_accuracy(results.final()),
        within_class_collapse(results),
        means_reach_the_simplex(results),
        classifiers_align(results),
        nearest_mean(results),
    ]


def first_and_last(results: Results, metric: str) -> pd.DataFrame:
    """The values ``first`` and ``last`` of a metric, of each trial with perfect accuracy and two frames or more."""
    perfect = results.trials.loc[results.trials["status"] == "interpolated", "id"]
    rows = results.metrics[(results.metrics["metric"] == metric) & results.metrics["trial"].isin(perfect)]
    by_trial = rows.sort_values("epoch").groupby("trial")
    table = pd.DataFrame(
        {"first": by_trial["value"].first(), "last": by_trial["value"].last(), "frames": by_trial["epoch"].nunique()}
    )
    # An undefined value decides nothing: groupby's first and last would skip it.
    undefined = rows.loc[rows["value"].isna(), "trial"]
    return table[(table["frames"] >= 2) & ~table.index.isin(undefined)]


def phrase(table: pd.DataFrame) -> str:
    """First and last value of the trials, as a range where there are several."""

    def span(values: pd.Series[float]) -> str:
        low, high = f"{values.min():.3g}", f"{values.max():.3g}"
        return low if low == high else f"{low}..{high}"

    return f"{span(table['first'])} to {span(table['last'])}"


def perfect_accuracy(final: pd.DataFrame) -> Claim:
    """Every trial reaches perfect training accuracy."""
    failed = final[final["status"] != "interpolated"]
    refuses = (failed["status"] == "diverged") | (failed["epochs"] >= EPOCHS_TO_REFUSE)
    holds = None if final.empty else True if failed.empty else False if refuses.any() else None
    accuracy = final["accuracy"].map("{:.2%}".format).mask(final["status"] == "diverged", "none, as it diverged")
    reached = ", ".join(accuracy) or "no finished trial"
    return Claim(
        "perfect_training_accuracy",
        "The networks fit their training set.",
        "every trial reaches train.target_accuracy; one that does not counts against it from "
        f"{EPOCHS_TO_REFUSE} epochs on [choice]",
        f"training accuracy {reached}",
        Claim.judge(holds),
    )


def within_class_collapse(results: Results) -> Claim:
    """NC1, in the plane that is drawn and in the whole feature space, so that the picture alone cannot decide."""
    plane = first_and_last(results, "plane_within_between_trace_ratio")
    whole = first_and_last(results, "within_between_trace_ratio")
    decidable = len(plane) > 0 and len(whole) > 0
    fallen = all(
        bool(((t["last"] <= SPREAD_FALL * t["first"]) & (t["last"] <= SPREAD_FALL)).all()) for t in (plane, whole)
    )
    return Claim(
        "nc1_features_fall_onto_their_means",
        "Features of a class fall onto their class mean (NC1).",
        f"tr S_W / tr S_B at the end at most {SPREAD_FALL:g} and at most {SPREAD_FALL:g} of its first value, in the "
        "plane and in the whole feature space [choice]",
        f"{phrase(plane)} in the plane, {phrase(whole)} in all" if decidable else nothing(),
        Claim.judge(fallen if decidable else None),
    )


def means_reach_the_simplex(results: Results) -> Claim:
    """NC2: the angles of a simplex ETF, and with them equal lengths in the classifiers' plane."""
    angles = first_and_last(results, "etf_cosine_deviation_class_means")
    distance = first_and_last(results, "max_mean_to_vertex_distance")
    decidable = len(angles) > 0 and len(distance) > 0
    falls = bool((angles["last"] < angles["first"]).all() and (distance["last"] < distance["first"]).all())
    small = bool((angles["last"] <= ANGLE_TOLERANCE).all() and (distance["last"] <= VERTEX_TOLERANCE).all())
    return Claim(
        "nc2_means_reach_the_simplex",
        "Class means go to the vertices of a simplex equiangular tight frame (NC2).",
        f"both fall: mean |cos + 1/(C-1)| of the centred means to at most {ANGLE_TOLERANCE:g}, the largest distance "
        f"of a mean from its vertex to at most {VERTEX_TOLERANCE:g} circumradii [choice]",
        f"{phrase(angles)}; distance {phrase(distance)}" if decidable else nothing(),
        Claim.judge(falls and small if decidable else None),
    )


def classifiers_align(results: Results) -> Claim:
    """NC3, centred as drawn; the thesis's uncentred cosine beside it."""
    centred = first_and_last(results, "min_self_duality_cosine_centred")
    uncentred = first_and_last(results, "min_self_duality_cosine")
    rises = bool(((centred["last"] > centred["first"]) & (centred["last"] >= DUALITY)).all())
    return Claim(
        "nc3_classifiers_align_with_means",
        "Classifier rows align with their class means (NC3).",
        f"the least cosine, both centred, rises to at least {DUALITY:g} [choice]",
        f"{phrase(centred)}; uncentred {phrase(uncentred)}" if len(centred) and len(uncentred) else nothing(),
        Claim.judge(rises if len(centred) else None),
    )


def nearest_mean(results: Results) -> Claim:
    """NC4 on a training set that is fitted, where agreeing with the classifier is being right."""
    accuracy = first_and_last(results, "ncc_accuracy")
    return Claim(
        "nc4_nearest_mean_decides_alike",
        "The classifier decides as the nearest class mean does (NC4).",
        f"accuracy of the nearest class mean at the end at least {NEAREST_MEAN:g} [choice]",
        phrase(accuracy) if len(accuracy) else nothing(),
        Claim.judge(bool((accuracy["last"] >= NEAREST_MEAN).all()) if len(accuracy) else None),
    )


def nothing() -> str:
    """Why a claim is undecided."""
    return "no trial with perfect accuracy, two frames and defined values"
