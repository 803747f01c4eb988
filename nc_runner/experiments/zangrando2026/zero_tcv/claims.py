"""Theorem 4.2 and Lemma 3.4 of Zangrando et al. 2026: what zero cluster variation costs, and what its gradient is."""

from __future__ import annotations

import pandas as pd

from nc_runner.config.choices import Activation
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.zangrando2026.hypotheses import noisy_samples
from nc_runner.experiments.zangrando2026.powers import exponent

NAME, ACTIVATION = "model.name", "model.activation"
WITHIN = 1e-3  # [choice] relative, of two costs that are the same
NEARLY = 0.05  # [choice] relative, by which a search with more freedom may end above one with less
STARTS = 20  # [choice] of each search, that fit
AGAIN = 3  # [choice] starts that end at the least cost
EXPONENT = 0.9  # [choice] p of error ~ TCV^p; of an error as the root of TCV it is 0.5
SMALL = 1e-2  # [choice] of the largest TCV, below which the exponent is taken
PATHS = 10  # [choice] of networks and layers, of which it is taken


def free_first_layer(results: Results) -> Need:
    """The inputs are independent, so that the first layer takes them anywhere."""
    samples, final = results.config.data.samples, results.final()
    rank = float(final["input_rank"].min(skipna=False)) if "input_rank" in final and len(final) else 0.0
    return Need("free first layer", "inputs of rank N", f"rank {rank:.0f} for N = {samples}", rank >= samples)


NEEDS = (needs.finished, noisy_samples, free_first_layer, needs.grid_complete(ACTIVATION))


def optimal(name: str, kind: str) -> Statement:
    """That zero cluster variation costs least."""
    return Statement(
        f"zero_tcv_is_optimal_{name}",
        f"Zero cluster variation costs least, {kind} networks",
        f"In {kind} networks zero total cluster variation across intermediate layers minimises the representation "
        "cost. Our reading: the cost is the sum of squared norms of the weights after a free first layer, of networks "
        "that fit one-hot targets with features of norm at most c after that layer.",
        "Theorem 4.2",
        f"the least cost found with free features is not below the least found without their variation by more than "
        f"{WITHIN:g} of it [choice], linear and ReLU",
        NEEDS,
    )


FEEDFORWARD, RESIDUAL = optimal("mlp", "feedforward"), optimal("residual_mlp", "residual")


def reached(activation: str, kind: Kind) -> Statement:
    """That the least cost is that of the rank-K optimum of linear networks."""
    but = " Of ReLU it need not be (Sukenik et al. 2024)." if activation == "relu" else ""
    return Statement(
        f"predicted_cost_{activation}",
        f"The least cost is the predicted one, {activation}",
        f"The least cost is that of K equal singular values: feedforward (L-1) K c^(-2/(L-1)), residual "
        f"K (s^2 + B w^2) with w(1+w) = s^2 and c s (1+w)^B = 1.{but}",
        "our optimum of linear networks, after Figures 2 and 4",
        f"the least found within {WITHIN:g} of it [choice], feedforward and residual",
        (needs.finished, noisy_samples, free_first_layer, needs.grid_complete(NAME)),
        kind,
    )


LINEAR, RELU = reached("linear", Kind.derived), reached("relu", Kind.ours)
CENTROIDS = Statement(
    "gradient_of_class_means",
    "Class means have the whole gradient but for TCV",
    "The gradient of the class means differs from the whole one by at most a constant times TCV. Our reading: of the "
    "layers from l on, at W_l, with the class means of the inputs of layer l; of linear networks, as the gradient of "
    "ReLU ones jumps where samples of a class lie on both sides of a kink.",
    "Lemma 3.4, whose wording we have not",
    f"the exponent p of error ~ TCV^p, by least squares where TCV is at most {SMALL:g} of its largest value, at least "
    f"{EXPONENT:g} in every layer of every random linear network [choice]",
    (needs.finished, noisy_samples),
)


def claims(results: Results) -> list[Claim]:
    """Optimality by architecture, the cost itself by activation, and the gradients."""
    of = results.only(~results.trials["status"].isin(["diverged", "unfinished"]))
    by_name = {name: of.only(of.trials[NAME] == name) for name in ("mlp", "residual_mlp")}
    by_activation = {name: of.only(of.trials[ACTIVATION] == name) for name in ("linear", "relu")}
    return [
        is_optimal(FEEDFORWARD, by_name["mlp"]),
        is_optimal(RESIDUAL, by_name["residual_mlp"]),
        is_predicted(LINEAR, by_activation["linear"]),
        is_predicted(RELU, by_activation["relu"]),
        class_means(of),
    ]


def costs(results: Results) -> pd.DataFrame:
    """One row a search that fits: the trial's id, name and activation, ``kind`` free or collapsed, its cost.

    ``predicted`` is the cost of the optimum of linear networks.
    """
    parts = results.metrics["metric"].str.extract(r"^(?P<kind>free|collapsed)_\d+$")
    found = results.metrics[["trial", "value"]].assign(kind=parts["kind"]).dropna(subset="kind")
    of_predicted = results.metrics[results.metrics["metric"] == "predicted"].set_index("trial")["value"]
    table = results.trials[["id", NAME, ACTIVATION]].merge(found, left_on="id", right_on="trial")
    return table.rename(columns={"value": "cost"}).assign(predicted=table["trial"].map(of_predicted))


def least(table: pd.DataFrame) -> pd.DataFrame:
    """One row a trial and kind: the least cost, how many starts fit, how many end at the least, ``predicted``."""
    if table.empty:
        return pd.DataFrame()
    grouped = table.groupby(["id", NAME, ACTIVATION, "kind", "predicted"], dropna=False)["cost"]
    found = grouped.agg(
        least=lambda rows: rows.min(skipna=False),
        starts="size",
        again=lambda rows: (rows <= (1 + WITHIN) * rows.min(skipna=False)).sum(),
    )
    return found.reset_index()


def searched(table: pd.DataFrame) -> list[Need]:
    """The searches have starts enough, and more than one finds the least."""
    starts, again = int(table["starts"].min()), int(table["again"].min())
    return [
        Need("starts", f"{STARTS} or more of each search that fit", f"{starts}", starts >= STARTS),
        Need("found again", f"the least within {WITHIN:g} from {AGAIN} starts or more", f"{again}", again >= AGAIN),
    ]


def is_optimal(statement: Statement, results: Results) -> Claim:
    """The least cost with free features over the least without variation, for each activation."""
    table = least(costs(results))
    pairs = table.pivot(index=["id", ACTIVATION], columns="kind", values="least") if len(table) else table
    if not {"free", "collapsed"} <= set(pairs.columns):
        return statement.judged(results, None, "no pair of searches that fit")
    ratio = (pairs["free"] / pairs["collapsed"]).droplevel("id")
    good = Need(
        "a search that is as good",
        f"free features at most {NEARLY:g} above",
        f"{ratio.max() - 1:.2g} at the most",
        bool(ratio.max(skipna=False) <= 1 + NEARLY),
    )
    told = "; ".join(f"{activation} {value - 1:+.1e}" for activation, value in ratio.groupby(level=0).min().items())
    holds = bool((ratio >= 1 - WITHIN).all())
    needed = [*searched(table), good]
    return statement.judged(results, holds, f"free over collapsed, less 1: {told}", f"{ratio.min() - 1:+.0e}", needed)


def is_predicted(statement: Statement, results: Results) -> Claim:
    """The least cost of either search over the predicted one, for each architecture."""
    table = least(costs(results))
    if table.empty:
        return statement.judged(results, None, "no search that fits")
    found = searched(table)
    table = table.assign(ratio=table["least"] / table["predicted"]).groupby([NAME, "kind"])["ratio"].min().reset_index()
    told = ", ".join(f"{row[NAME]} {row['kind']} {row['ratio'] - 1:+.1e}" for row in table.to_dict("records"))
    lowest = table.groupby(NAME)["ratio"].min()
    holds = bool(((lowest - 1).abs() <= WITHIN).all())
    worst = (lowest - 1).abs().max()
    return statement.judged(results, holds, f"over it, less 1: {told}", f"{worst:.1g} off", found)


def errors(results: Results) -> pd.DataFrame:
    """One row a trial, layer, network and shrinkage: ``error`` of the gradient and ``variation`` of the inputs."""
    parts = results.metrics["metric"].str.extract(r"^(?P<kind>error|variation)_(?P<network>\d+)_(?P<step>\d+)$")
    found = pd.concat([results.metrics[["trial", "layer", "value"]], parts], axis=1).dropna(subset="kind")
    wide = found.set_index(["trial", "layer", "network", "step", "kind"])["value"].unstack("kind")
    wide = wide.reindex(columns=["error", "variation"]).reset_index()
    return results.trials[["id", NAME, ACTIVATION]].merge(wide, left_on="id", right_on="trial")


def exponents(table: pd.DataFrame) -> pd.Series[float]:
    """The exponent of error ~ TCV^p at small TCV, by trial, layer and network."""

    def at_small(rows: pd.DataFrame) -> float:
        variation = rows["variation"]
        return exponent(variation.where(variation <= SMALL * variation.max()), rows["error"])

    grouped = table.groupby(["id", "layer", "network"])[["variation", "error"]]
    return grouped.apply(at_small) if len(table) else pd.Series(dtype=float)


def class_means(results: Results) -> Claim:
    """How the error goes to 0 with TCV."""
    table = errors(results)
    linear = table[table[ACTIVATION] == Activation.linear.name]
    found = exponents(linear).dropna()  # of a layer without errors above 0 there is none
    kinked = exponents(table[table[ACTIVATION] != Activation.linear.name])
    if found.empty:
        return CENTROIDS.judged(results, None, "no gradient of class means measured of linear networks")
    largest = (linear["error"] / linear["variation"]).max()
    enough = Need("networks", f"{PATHS} layers of networks or more", f"{len(found)}", len(found) >= PATHS)
    measured = (
        f"p {found.min():.3f} to {found.max():.3f} in {len(found)} layers of networks; the constant is at most "
        f"{largest:.2g}"
    )
    if len(kinked):
        measured += f"; of ReLU networks p {kinked.min():.3f} to {kinked.max():.3f}"
    holds = bool((found >= EXPONENT).all())
    return CENTROIDS.judged(results, holds, measured, f"p {found.min():.2f}", [enough])
