"""Words that the figures of this wing share: definitions of what is drawn, what was trained, over how many runs."""

from __future__ import annotations

import pandas as pd

from nc_runner.config.choices import IMAGE_DATA, Activation, ModelName
from nc_runner.config.keys import flatten
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025.head import backbone_layers
from nc_runner.experiments.jacot2025.layers import column
from nc_runner.figures import training

DEFINITION_OF_NC1 = (
    "NC1 = tr S_W / tr S_B of a layer's outputs, after the activation where there is one: S_W their covariance within "
    "classes, S_B the covariance of the K class means around their own mean. 0 is collapse."
)
DEFINITION_OF_NC2 = (
    "NC2 = s₁/s_K, the largest over the least singular value of the K uncentred class means of a layer's outputs. 1 "
    "means orthogonal class means of equal length. Undefined, and left out, where the class means are linearly "
    "dependent."
)
DEFINITION_OF_BALANCEDNESS = (
    "Balancedness of a layer = ‖W₊ᵀW₊ − WWᵀ‖ / min(‖W₊ᵀW₊‖, ‖WWᵀ‖), W its weight, W₊ the weight of the next layer, "
    "operator norms. 0 is balanced."
)
DEFINITION_OF_NEGATIVITY = (
    "Negativity of a layer = ‖Z − relu(Z)‖ / ‖Z‖, Z its pre-activations on all samples, operator norms. 0 means that "
    "a ReLU changes nothing."
)

ACTIVATIONS = {
    **{activation: activation.name for activation in Activation},
    Activation.relu: "ReLU",
    Activation.leaky_relu: "leaky ReLU",
    Activation.gelu: "GELU",
    Activation.silu: "SiLU",
    Activation.elu: "ELU",
}


def span(values: pd.Series, form: str = "g") -> str:
    """One value as it is, two of them, or the least and the largest of several."""
    shown = [f"{value:{form}}" for value in sorted(values.dropna().unique())]
    if len(shown) <= 2:
        return " or ".join(shown)
    return f"{shown[0]} to {shown[-1]}"


def setting(results: Results) -> list[str]:
    """The networks, their data and their training, a sentence each."""
    config, trials, own = results.config, results.trials, flatten(results.config)

    def of(key: str) -> pd.Series:
        return column(trials, key, own[key])

    train, size, activation = config.train, config.data.image_size, ACTIVATIONS[config.model.activation]
    pixels = f", images resized to {size} × {size} pixels" if size and config.data.name in IMAGE_DATA else ""
    drops = " and ".join(f"{share:.0%}" for share in train.lr_milestones)
    falls = training.step_size(own, f" (times {train.lr_gamma:g} after {drops} of the epochs)" if drops else "")
    batches = f"batches of {span(of('train.batch_size'))}" if train.batch_size else "full batches"
    first = of("model.first_width").dropna()
    of_first = f", the first of width {span(first)}" if len(first) else ""
    return [
        f"Networks: {backbone(config)}{span(of('model.depth') - of('model.linear_layers'))} {activation} and "
        f"{span(of('model.linear_layers'))} linear layers of width {span(of('model.width'))}{of_first}, no biases.",
        f"Data: {config.data.name.name}, N = {span(of('data.samples'), ',')} samples of K = "
        f"{span(of('data.classes'))} classes{pixels}.",
        f"Training: {training.optimizer(own)} on half the squared distance from the one-hot labels, "
        f"{span(of('train.epochs'), ',')} epochs, "
        f"{batches}, step size {span(of('train.learning_rate'))}{falls}, "
        f"{training.momentum(own)} {span(of('train.momentum'))}, "
        f"weight decay λ = {span(of('train.weight_decay'))}{training.besides(own)}.",
    ]


def backbone(config: Config) -> str:
    """What comes before the head, where it has a name of its own."""
    model = config.model
    return "" if model.name is ModelName.mlp else f"{model.name.name} of {model.channels} channels, followed by "


def numbering(config: Config) -> str:
    """Which layers count as the head's."""
    first = backbone_layers(config)
    before = f"layer {first} of the network [paper]" if first else f"the {config.model.name.name}'s convolutions"
    return f"Layers are those of the head. They are counted from the output of {before}, which is layer 0."


def runs(results: Results) -> str:
    """Over how many seeds a line goes, and what its band is."""
    count = int(results.trials["seed"].nunique())
    return "one seed" if count == 1 else f"mean over {count} seeds, band: one standard deviation"


def fitted(results: Results, shown: pd.DataFrame) -> str:
    """How many of the trials are drawn, which are those that fit."""
    return f"{len(shown)} of {len(results.trials)} trials fit"


def what_fits(results: Results) -> str:
    """Which trials are drawn."""
    target = results.config.train.target_accuracy
    return f"Only trials that fit are drawn: those with a training accuracy of at least {target:g} at the end."


def averaged(results: Results) -> list[str]:
    """A sentence where the curves are means over more than seeds."""
    keys = [str(key) for key in results.trials if "." in str(key) and len(results.trials[key].unique()) > 1]
    return [f"The curves are means over runs that differ in {', '.join(keys)} too."] if keys else []
