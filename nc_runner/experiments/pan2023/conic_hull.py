"""Pan 2023, Figure 3.2: the conic hull data set. Nothing is trained; the data themselves are measured and drawn."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import ListedColormap
from torch import Tensor

from nc_runner.config.choices import DataName
from nc_runner.config.schema import Config, DataConfig
from nc_runner.data.synthetic import conic_hull_labels, conic_hull_with_planes
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results, Statement
from nc_runner.experiments.needs import at_paper_sizes, data_is, finished
from nc_runner.experiments.pan2023.fits import measured
from nc_runner.figures import BLUE, GREEN, ORANGE, PURPLE, SKY, YELLOW
from nc_runner.figures.drawing import Drawing, say
from nc_runner.models import MLP

AUTHORS_COUNTS = [2308, 2669, 2607, 2416]  # [recovered] from the authors' published arrays
AUTHORS_DIM = 16
COLOURS = [BLUE, YELLOW, GREEN, ORANGE, PURPLE, SKY]
HALF_WIDTH = 3.0
POINTS_DRAWN = 1_500


def points_and_planes(data: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """The points [N, dim] and the planes' normals [P, dim] in float64, as the labels were made from them."""
    return conic_hull_with_planes(data.samples, data.dim, data.classes, label_seed=data.label_seed)


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Class counts, and how many points keep their class when scaled, and when averaged with one of their class."""
    points, planes = points_and_planes(config.data)
    labels = y.numpy()
    for c, count in enumerate(np.bincount(labels, minlength=config.data.classes)):
        yield None, f"count_class_{c}", torch.tensor(float(count))
    random = np.random.default_rng(0)
    scaled = conic_hull_labels(points * random.uniform(0.01, 100, (len(points), 1)), planes, config.data.classes)
    yield None, "kept_when_scaled", torch.tensor(float((scaled == labels).mean()))
    partner = np.empty(len(points), dtype=np.int64)
    for c in np.unique(labels):
        members = np.flatnonzero(labels == c)
        partner[members] = random.permutation(members)
    averaged = conic_hull_labels((points + points[partner]) / 2, planes, config.data.classes)
    yield None, "kept_when_averaged", torch.tensor(float((averaged == labels).mean()))


def figures(results: Results) -> dict[str, Drawing]:
    """Figure 3.2, of the run's two-dimensional trial."""
    data = results.config.data
    figure, ax = plt.subplots(figsize=(4.6, 4.3))
    if 2 not in set(results.trials["data.dim"]):
        say(ax, "no trial is two-dimensional")
        return {"figure_3_2": Drawing(figure, "The conic hull data set is drawn in two dimensions only.")}
    planar = DataConfig(**{**data.__dict__, "dim": 2})
    points, planes = points_and_planes(planar)
    labels = conic_hull_labels(points, planes, data.classes)
    colours = ListedColormap([COLOURS[c % len(COLOURS)] for c in range(data.classes)])

    side = np.linspace(-HALF_WIDTH, HALF_WIDTH, 801)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    cells = conic_hull_labels(grid, planes, data.classes).reshape(len(side), len(side))
    extent = (-HALF_WIDTH, HALF_WIDTH, -HALF_WIDTH, HALF_WIDTH)
    ax.imshow(
        cells,
        origin="lower",
        extent=extent,
        alpha=0.22,
        interpolation="nearest",
        cmap=colours,
        vmin=-0.5,
        vmax=data.classes - 0.5,
    )
    for number, normal in enumerate(planes):
        direction = np.array([-normal[1], normal[0]]) / np.linalg.norm(normal) * 2 * HALF_WIDTH
        ax.plot(
            *np.stack([-direction, direction]).T,
            color="black",
            linewidth=1.3,
            label="class boundary" if number == 0 else None,
        )
    shown = points[:POINTS_DRAWN]
    for c in range(data.classes):
        of_class = shown[labels[:POINTS_DRAWN] == c]
        ax.plot(*of_class.T, ".", markersize=3, color=COLOURS[c % len(COLOURS)], label=f"class {c}")
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    ax.grid(visible=False)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=3)
    return {
        "figure_3_2": Drawing(
            figure,
            f"Points: {len(shown):,} of {data.samples:,} standard normal samples in two dimensions. Shaded: the "
            f"{data.classes} classes, cells of {len(planes)} random lines through the origin.",
            [
                "The class of a point follows from the sides of the lines it lies on. C classes take P = ⌈log₂ C⌉ "
                "lines; where C is not a power of two, the first 2 (2^P − C) cells are merged in pairs.",
                f"The points drawn are the first of the set. The square shows |x₁| and |x₂| up to {HALF_WIDTH:g}.",
                f"Lines and points are drawn with the seed data.label_seed = {data.label_seed}.",
                "Nothing is trained.",
            ],
        )
    }


AUTHORS = Statement(
    "authors_counts",
    "the 16-dimensional set is the authors'",
    "The 16-dimensional set is the authors': 10,000 points, four classes.",
    "the authors' published arrays; section 3.1",
    f"class counts {AUTHORS_COUNTS}",
    (finished, data_is(DataName.conic_hull), at_paper_sizes("seeds", "data.dim")),
)
CONES = Statement(
    "classes_are_cones",
    "each class is a cone",
    "Each class is a cone: scaling a point by a positive number keeps its class.",
    "section 3.1, Figure 3.2",
    "every point of every set keeps its class, scaled by a random number from 0.01 to 100",
    (finished, data_is(DataName.conic_hull), measured("kept_when_scaled")),
)
CONVEX = Statement(
    "classes_are_convex",
    "each class is convex",
    "Each class is convex: the midpoint of two points of a class is in the class.",
    "section 3.1, Figure 3.2",
    "every point of every set, with a random partner of its class",
    (finished, data_is(DataName.conic_hull), measured("kept_when_averaged")),
)


def claims(results: Results) -> list[Claim]:
    """The set is the authors', and its classes are what its name says."""
    done = results.only(~results.trials["status"].isin(["diverged", "unfinished"]))
    return [
        authors_counts(done.only(done.trials["data.dim"] == AUTHORS_DIM)),
        every_point(done, CONES, "kept_when_scaled"),
        every_point(done, CONVEX, "kept_when_averaged"),
    ]


def authors_counts(wide: Results) -> Claim:
    """The class counts of the 16-dimensional set."""
    columns = [f"count_class_{c}" for c in range(wide.config.data.classes)]
    final = wide.final()
    if final.empty or not set(columns) <= set(final):
        return AUTHORS.judged(wide, None, f"no set of dimension {AUTHORS_DIM}")
    counts = final[columns].to_numpy().tolist()
    said = f"class counts {[int(n) if n == n and abs(n) != np.inf else n for n in counts[0]]}"
    return AUTHORS.judged(wide, all(of == AUTHORS_COUNTS for of in counts), said)


def every_point(done: Results, statement: Statement, metric: str) -> Claim:
    """Every point of every set keeps its class."""
    final = done.final()
    if final.empty or metric not in final:
        return statement.judged(done, None, "no set measured")
    kept = final[metric].min(skipna=False)
    return statement.judged(done, bool((final[metric] == 1).all()), f"{kept:.4%} of the points", f"{kept:.4%}")


EXPERIMENT = Experiment(
    paper="pan2023",
    figure="3.2",
    summary="the conic hull data set: four classes, their cells and boundaries",
    cost="5 s",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=("kept_when_scaled", "kept_when_averaged"),
)
