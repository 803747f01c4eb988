"""Measures of any network: every layer in one pass over a loader, and in a second where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ._hooks import bare, find_classifier, find_layers, tapped
from ._samples import as_tensor
from .accumulator import Accumulator
from .measured import Measured

PADDING = -100  # the label of what is no token, as Hugging Face has it

Positions = str | Callable[[Tensor], Tensor]

POSITIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda h: h.mean(dim=1),
    "first": lambda h: h[:, 0],
    "last": lambda h: h[:, -1],
    "flatten": lambda h: h.flatten(1),
}
"""Of outputs `[B, T, D]` with a label a sample: what stands for the sample."""


class Collected:
    """What ``collect`` found.

    Attributes:
        layers: each layer's passes by its name; the classifier's input by the classifier's.
    """

    def __init__(self, layers: dict[str, Measured], network: Network) -> None:
        self.layers, self._network = layers, network
        self._gathered = False  # whether it holds what all processes have found

    def compute(self, *, pairs: bool = True) -> dict[str, dict[str, Tensor]]:
        """Of each layer every measure by name, float64 scalars; ``pairs`` as in ``Accumulator.compute``."""
        return {name: layer.compute(pairs=pairs) for name, layer in self.layers.items()}

    def second_pass(self, loader: Iterable[Any]) -> None:
        """What needs the means first, by the means of all that was seen so far: over the same samples or others.

        Of other samples, as held-out ones, nearest means, margins and distances are of these samples and those means.
        """
        passes = {name: layer.by_means() for name, layer in self.layers.items()}
        layers = [name for name in passes if name != self._network.head]
        if not self._network.go_through(loader, layers, lambda name, h, labels: passes[name].update(h, labels)):
            raise ValueError("the loader gave no batch in a second pass; it must be one to go through again.")
        for name, layer in self.layers.items():
            layer.second = passes[name]
        self._gathered = False

    def merge(self, other: Collected) -> None:
        """Take in what another process has found in the same layers: first passes, or second ones of the same first.

        All layers are merged, or none.

        Raises:
            ValueError: it has other layers, or what ``Measured.merge`` refuses of one of them.
        """
        if [*self.layers] != [*other.layers]:
            raise ValueError(f"layers are {', '.join(self.layers)} here and {', '.join(other.layers)} there.")
        for name, layer in self.layers.items():
            layer.check_merge(other.layers[name])
        for name, layer in self.layers.items():
            layer.merge(other.layers[name])

    def gather(self) -> None:
        """Take in what the other processes of torch.distributed have found, in the order of their ranks.

        Every process calls it, has gone through samples of its own, and holds what all have found then. For a second
        pass by the means of all: gather, ``second_pass``, gather again.

        Raises:
            ValueError: it was called before and there was no second pass since, so samples would count once more; or
                what ``merge`` refuses, as second passes by the means of one process each.
        """
        if self._gathered:
            raise ValueError("gather was called before, and no second pass made since; samples would be counted twice.")
        every: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(every, self.layers)
        first, *others = (Collected(layers, self._network) for layers in every)
        for other in others:
            first.merge(other)
        self.layers, self._gathered = first.layers, True


def collect(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    layers: str | Sequence[str] = "auto",
    classifier: str | None = None,
    positions: Positions | None = None,
    next_token: bool = False,
    second_pass: bool = False,
    device: torch.device | str | None = None,
    **asked: Any,
) -> Collected:
    """Measure a network's layers on the samples of a loader.

    ::

        found = collect(model, loader, positions="mean", second_pass=True)
        found.compute()["fc"]["within_between_trace_ratio"]

    Args:
        model: any module; what torch.compile and DistributedDataParallel put around it is looked through. It runs in
            eval mode without gradients; modes and hooks are then as they were, whatever was raised.
        loader: batches (inputs, labels), the inputs one argument of the model or several in a tuple; or mappings of
            arguments by name with ``labels`` among them, as of Hugging Face. Labels are `[B]`, or `[B, T]` for outputs
            `[B, T, D]`.
        layers: names of modules, or patterns as "encoder.layer.*"; their outputs are measured, or the first tensor of
            these. "auto": the members of every Sequential and ModuleList that lies in none itself, as far as they are
            called. The classifier's input is always measured, under the classifier's name.
        classifier: a module's name; by default the last Linear in the order in which they were made. "none": there is
            none.
        positions: what stands for a sample whose label is one and whose output is at many positions, `[B, T, D]` or
            `[B, C, H, W]`: their "mean", the "first", the "last", all of them as one vector ("flatten"), or a function
            of `[B, T, D]`. There is no default, as each is another measure.
        next_token: a position's label is the token after it, as of a causal language model; labels are then tokens
            `[B, T]`, of ``labels`` where it is there, else of ``input_ids``. Those of -100 are left out.
        second_pass: go through the loader once more, for what needs the means first; it must give the same samples.
        device: where batches are moved to; else where the model's first parameter is.
        asked: what ``Accumulator`` takes, as ``covariance=True`` or ``ignore_index=-100``.

    Raises:
        ValueError: no Linear, a pattern that matches nothing, a layer that is never called or called twice, outputs
            that need ``positions``, or what ``Accumulator.update`` refuses.
    """
    model = bare(model)
    head = None if classifier == "none" else find_classifier(model, classifier)
    names = [name for name in find_layers(model, layers, head) if name != head]
    if isinstance(positions, str) and positions not in POSITIONS:
        raise ValueError(f'positions is "{positions}"; it must be {", ".join(POSITIONS)}, or a function.')
    if device is None:
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    network = Network(model, head, positions, next_token, torch.device(device))
    asked = {"ignore_index": PADDING} | asked if next_token else asked
    found = {name: Measured(Accumulator(**asked)) for name in [*names, *([head] if head is not None else [])]}
    if head is not None:
        module = model.get_submodule(head)
        for part in ("weight", "bias"):
            held = getattr(module, part, None)
            setattr(found[head], part, None if held is None else held.detach().clone())
    called = network.go_through(loader, names, lambda name, h, labels: found[name].seen.update(h, labels))
    missing = [name for name in found if name not in called]
    if not called:
        raise ValueError("the loader gave no batch; there is nothing to measure.")
    if head in missing:
        raise ValueError(f"{head} is never called, so it is no classifier; classifier= names the module that is one.")
    if missing and layers != "auto":
        raise ValueError(f"{missing[0]} is never called in a forward pass; layers= must name modules that are.")
    collected = Collected({name: found[name] for name in found if name in called}, network)
    if second_pass:
        collected.second_pass(loader)
    return collected


@dataclass(frozen=True)
class Network:
    """How a model is run, and what of it is measured; as the arguments of ``collect``."""

    model: nn.Module
    head: str | None
    positions: Positions | None
    next_token: bool
    device: torch.device

    def go_through(
        self, loader: Iterable[Any], layers: Sequence[str], take: Callable[[str, Tensor, Tensor], None]
    ) -> set[str]:
        """Hand on of every batch each layer's name, features and labels; the names of the layers that were called."""
        called: set[str] = set()
        with tapped(self.model, layers, self.head) as run:
            for batch in loader:
                args, kwargs, labels = taken_apart(batch, next_token=self.next_token)
                for name, output in run(*moved(args, self.device), **moved(kwargs, self.device)).items():
                    called.add(name)
                    take(name, *self.samples(name, output, labels))
        return called

    def samples(self, name: str, output: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Features and labels as ``Accumulator.update`` takes them, of a layer's output.

        Raises:
            ValueError: there are positions, and it was not said what stands for the sample.
        """
        if self.next_token:
            return output[:, :-1], labels[:, 1:]
        if labels.ndim > 1 or output.ndim < 3:
            return output, labels
        if self.positions is None:
            raise ValueError(
                f"{name} puts out {tuple(output.shape)}, many features for one label; positions= says what is "
                f"measured of them: {', '.join(POSITIONS)}, or a function."
            )
        by_position = output if output.ndim == 3 else output.flatten(2).transpose(1, 2)
        return (self.positions if callable(self.positions) else POSITIONS[self.positions])(by_position), labels


def taken_apart(batch: Any, *, next_token: bool) -> tuple[list[Any], dict[str, Any], Tensor]:
    """A batch as positional arguments of the model, arguments by name, and labels.

    Raises:
        ValueError: it is no pair, and no mapping with labels.
    """
    if isinstance(batch, Mapping):
        named = dict(batch)
        labels = named.pop("labels", None)
        if labels is None and next_token and "input_ids" in named:
            tokens, mask = named["input_ids"], named.get("attention_mask")
            labels = tokens if mask is None else tokens.masked_fill(mask == 0, PADDING)
        if labels is None:
            raise ValueError(f"a batch of the loader has no labels; it has {', '.join(map(str, named))}.")
        return [], named, as_tensor("labels", labels)
    if not isinstance(batch, Sequence) or len(batch) != 2:
        kind = type(batch).__name__ + (f" of {len(batch)}" if isinstance(batch, Sequence) else "")
        raise ValueError(f"a batch of the loader is a {kind}; it must be (inputs, labels), or a mapping with labels.")
    inputs, labels = batch
    if isinstance(inputs, Mapping):
        return [], dict(inputs), as_tensor("labels", labels)
    return list(inputs) if isinstance(inputs, tuple | list) else [inputs], {}, as_tensor("labels", labels)


def moved(arguments: Any, device: torch.device) -> Any:
    """Tensors in a list or a dict, on the device."""
    if isinstance(arguments, dict):
        return dict(zip(arguments, moved([*arguments.values()], device), strict=True))
    return [value.to(device, non_blocking=True) if isinstance(value, Tensor) else value for value in arguments]
