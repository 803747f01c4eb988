"""Words that the figures of this folder share: the setting of a run, for their notes, and what an empty panel says."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from nc_runner.config.choices import DataName, LossName, Means, ModelName
from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results
from nc_runner.figures import training as how

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NOTHING = "no finished network"
DIVERGED = "Left out: networks that diverged or have not finished."
DISTANCE = (
    "Relative distance from rank K: Σ_{j>K} sⱼ² / Σⱼ sⱼ² over the singular values s₁ ≥ s₂ ≥ … of a weight W. It is the "
    "squared Frobenius distance from the nearest matrix of rank K, over ‖W‖²."
)
TCV = (
    "TCV, total cluster variation: (1/N) Σᵢ ‖zᵢ − mean of its class‖² over the features zᵢ of the N samples. The paper "
    "leaves open whether it is a sum or a mean over samples; the mean is our choice."
)


def setting(results: Results) -> list[str]:
    """The networks, the data, the training, its objective and how many fit, a note each."""
    return [networks(results), data(results), training(results), objective(results), fit(results)]


def networks(results: Results) -> str:
    """Kind, depth, width and activation."""
    model = results.config.model
    rest = f"width {model.width}, {'with' if model.bias else 'no'} biases"
    activation = values(results, "model.activation")
    if model.name is ModelName.residual_mlp:
        return (
            f"Networks: L = {model.depth} layers, which are a linear first layer, {model.depth - 2} residual blocks "
            f"z + act(W z) and a linear head; act: {activation}; {rest}."
        )
    return f"Networks: L = {model.depth} fully connected layers; activation of the hidden ones: {activation}; {rest}."


def data(results: Results) -> str:
    """Samples, classes, dimensions and noise."""
    of = results.config.data
    if of.name is not DataName.gaussian_mixture:
        return f"Data: {of.name.name}, K = {of.classes} classes."
    means = "orthonormal means" if of.means is Means.orthonormal else "random means of mean square norm 1"
    noise = values(results, "data.sigma")
    size = f"Data: N = {of.samples} samples of K = {of.classes} classes"
    if noise == "0":
        return f"{size}, each equal to the mean of its class (σ = 0); {means} in {of.dim} dimensions."
    return f"{size}: the mean of the class plus Gaussian noise of σ = {noise} in each of {of.dim} dimensions; {means}."


def training(results: Results) -> str:
    """Steps, their size, the weight decay and the precision."""
    train = results.config.train
    batch = "full-batch descent" if train.batch_size is None else f"descent on batches of {train.batch_size}"
    drops = " and ".join(f"{share:.0%}" for share in train.lr_milestones)
    own = flatten(results.config)
    falling = how.step_size(own, f", times {train.lr_gamma:g} after {drops} of the epochs" if drops else "")
    batch = f"{how.optimizer(own, '')} {batch}".lstrip()
    return (
        f"Training: {batch} with {how.momentum(own)} {train.momentum:g}{how.besides(own)}, "
        f"step size {values(results, 'train.learning_rate')}"
        f"{falling}, {values(results, 'train.epochs')} epochs, weight decay λ = "
        f"{values(results, 'train.weight_decay')}, in "
        f"{train.precision.name}. The sizes and these settings are our choice, not the paper's."
    )


def objective(results: Results) -> str:
    """Loss plus penalty, in the paper's terms."""
    train = results.config.train
    loss = "(1/2N) Σᵢ ‖f(xᵢ) − yᵢ‖²" if train.loss is LossName.mse else "mean cross-entropy"
    if train.weight_decay_first is None and "train.weight_decay_first" not in results.trials:
        return f"Objective: {loss} + (λ/2) Σₗ ‖Wₗ‖²; labels are one-hot, norms Frobenius."
    penalty = "(λ/2) [δ ‖W₁‖² + Σ_{l≥2} ‖Wₗ‖²]"
    return f"Objective: {loss} + {penalty}; labels are one-hot, norms Frobenius. δ λ is the first layer's weight decay."


def fit(results: Results) -> str:
    """How many networks fit their training set; others are drawn too, where nothing else is said."""
    count = (results.trials["status"] == "interpolated").sum()
    target = results.config.train.target_accuracy
    return f"Of {len(results.trials)} networks {count} fit: training accuracy {target:g} or more."


def values(results: Results, key: str) -> str:
    """The value of a key, or all that the run gives it."""
    column: pd.Series | None = results.trials.get(key)
    taken = list(dict.fromkeys(column)) if column is not None else []
    return ", ".join(_plain(value) for value in taken or [flatten(results.config)[key]])


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def power(value: float) -> str:
    """A power of ten, as 10⁻⁸."""
    return "10" + f"{math.log10(value):.0f}".translate(SUPERSCRIPTS)
