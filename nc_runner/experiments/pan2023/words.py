"""Words that the figures of this wing share: conventions, what was trained, over how many seeds, why axes are empty."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nc_runner.config.choices import IMAGE_DATA, DataName
from nc_runner.config.keys import flatten
from nc_runner.config.schema import Config
from nc_runner.figures import training
from nc_runner.figures.series import seeds_phrase

UNCENTRED = "Cosines of uncentred features, self pairs included."
COSINES = (
    "The cosine of two classes is the mean cosine over all pairs of a feature of the one and a feature of the other; "
    "that of a class with itself is the mean over all pairs of its features.",
    "min intra-class cosine: least over the classes. max inter-class cosine: largest over the pairs of different "
    "classes. At a simplex ETF (equiangular tight frame) of C classes they are 1 and −1/(C−1).",
)
SELF_PAIRS = (
    "Self pairs included: the pairs of a class include each feature with itself, so its cosine is ‖m‖², m the class "
    "mean of h/‖h‖ (Lemma 2.4.4 of the thesis)."
)
NC3 = (
    "NC3 cosine: least over the classes of the cosine of a class's row of the output weights with the mean of its "
    "last-layer features, neither centred (self-duality, 1 at collapse)."
)
GAP = "g = min intra-class cosine − max inter-class cosine. At a simplex ETF it is C/(C−1)."
_NORMS = {
    "affine": "affine BatchNorm after each hidden activation",
    "plain": "BatchNorm without γ and β after each hidden activation",
    "layer": "LayerNorm after each hidden activation",
    "none": "no BatchNorm",
}


def common(config: Config, trials: pd.DataFrame) -> dict[str, Any]:
    """The value of every dotted key that all of the trials have; None where they differ."""
    of = flatten(config)
    for key in [key for key in of if key in trials]:
        distinct = trials[key].unique()
        of[key] = distinct[0] if len(distinct) == 1 else None
    return of


def told(*parts: tuple[object, str]) -> str:
    """Each value in its form, one after the other, without those that are None."""
    return ", ".join(form.format(value) for value, form in parts if value is not None)


def setting(config: Config, trials: pd.DataFrame) -> list[str]:
    """The networks, their data and their training, a sentence each; what varies between the trials is left out."""
    of = common(config, trials)
    name, drops = of["data.name"], ", ".join(f"{share:.0%}" for share in of["train.lr_milestones"])
    labels = " (labels of a random network of {} linear layers)".format(of["data.teacher_depth"])
    dimension = f" of dimension {of['data.dim']}" if name is None or DataName[name] not in IMAGE_DATA else ""
    drops = f", times {of['train.lr_gamma']:g} after {drops} of the epochs" if drops else ""
    falls, momentum = training.step_size(of, drops), training.momentum(of)
    sentences = {
        "Networks": told(
            (of["model.depth"], "{} linear layers"),
            (of["model.width"], "width {}"),
            (_NORMS.get(of["model.norm"]), "{}"),
        ),
        "Data": told(
            (name and name.replace("_", " "), "{}" + labels * (name == "teacher")),
            (of["data.samples"], "N = {:,} samples" + dimension),
            (of["data.classes"], "C = {} classes"),
        )
        + training.of_data(of),
        "Training": told(
            (of["train.method"], "{}"),
            (of["train.epochs"], "{} epochs"),
            (of["train.batch_size"], "batches of {}"),
            (of["train.learning_rate"], "step size {:g}" + falls),
            (of["train.momentum"], momentum + " {:g}"),
            (of["train.weight_decay"], "weight decay λ = {:g}"),
        ).replace("sgd", training.optimizer(of))
        + training.besides(of),
    }
    return [f"{what}: {sentence}." for what, sentence in sentences.items() if sentence]


def mean_over_seeds(table: pd.DataFrame) -> str:
    """Over how many seeds lines without a band are the mean."""
    seeds = seeds_phrase(table, band=False)
    return seeds if seeds == "one seed" else f"mean over {seeds}"


def left_out(config: Config, final: pd.DataFrame) -> str:
    """How many of the finished trials do not fit their training set, and so are not drawn."""
    failed, target = int((final["status"] != "interpolated").sum()), config.train.target_accuracy
    return f"Left out: trials with a training accuracy below {target:g}, {failed} of {len(final)}."


def reached(trials: pd.DataFrame) -> list[str]:
    """The training accuracy of each trial, or that it diverged."""
    pairs = zip(trials["status"], trials["accuracy"], strict=True)
    return ["diverged" if status == "diverged" else f"{accuracy:.4f}" for status, accuracy in pairs]


def none_fits(config: Config, which: str = "trial") -> str:
    """Why the axes of fitted networks are empty."""
    return f"no {which} reaches\ntraining accuracy {config.train.target_accuracy:g}"
