"""What a network's modules put out: which are meant, their outputs in a forward pass, and all as it was after it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn


def bare(model: nn.Module) -> nn.Module:
    """The network itself, without what torch.compile, DataParallel and DistributedDataParallel put around it."""
    while True:
        compiled = getattr(model, "_orig_mod", None)
        if isinstance(compiled, nn.Module):
            model = compiled
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            return model


def find_classifier(model: nn.Module, name: str | None) -> str:
    """The name of the classifier: the one given, or the last Linear in the order in which they were made.

    Raises:
        ValueError: there is none, or it has no weight of two axes.
    """
    modules = dict(model.named_modules())
    if name is None:
        linear = [name for name, module in modules.items() if isinstance(module, nn.Linear)]
        if not linear:
            raise ValueError(
                "the model has no Linear, so no classifier was found; classifier= names the module that is one, or "
                'classifier="none" measures layers alone.'
            )
        name = linear[-1]
    elif name not in modules:
        raise ValueError(f"classifier is {name!r}, of which the model has no module; {nearest(name, modules)}")
    weight = getattr(modules[name], "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise ValueError(f"classifier is {name!r}, whose weight is no matrix; it must be a Linear or work as one.")
    return name


def find_layers(model: nn.Module, asked: str | Sequence[str], classifier: str | None) -> list[str]:
    """Names of the modules that are meant by patterns, or by "auto", in the order in which they were made.

    Raises:
        ValueError: a pattern that no module's name matches.
    """
    modules = dict(model.named_modules())
    modules.pop("", None)
    if asked == "auto":
        return [name for name in blocks(model) if name != classifier]
    patterns = [asked] if isinstance(asked, str) else list(asked)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in modules):
            raise ValueError(f"layers has {pattern!r}, which no module's name matches; {nearest(pattern, modules)}")
    return [name for name in modules if any(fnmatchcase(name, pattern) for pattern in patterns)]


def nearest(word: str, names: Iterable[str]) -> str:
    """The end of a sentence on a name that is not there: the close ones, or the first."""
    every = [name for name in names if name]
    near = difflib.get_close_matches(word.strip("*."), every, n=3, cutoff=0.5)
    return f"close are {', '.join(near)}." if near else f"it has {', '.join(every[:8])}{', ...' if every[8:] else ''}."


def blocks(model: nn.Module, prefix: str = "") -> Iterator[str]:
    """The members of every Sequential and ModuleList that lies in none itself."""
    for name, module in model.named_children():
        path = f"{prefix}{name}"
        inside = isinstance(model, nn.Sequential | nn.ModuleList)
        if inside:
            yield path
        else:
            yield from blocks(module, f"{path}.")


@contextmanager
def tapped(
    model: nn.Module, layers: Sequence[str], classifier: str | None
) -> Iterator[Callable[..., dict[str, Tensor]]]:
    """A function that runs the model in eval mode without gradients and gives what the modules put out, by name.

    The classifier's *input* is there by the classifier's name. After it hooks are gone and every module is in the mode
    in which it was, whatever was raised. The model runs as it is written where it is compiled, as what was compiled
    before may pass over hooks.
    """
    modules = dict(model.named_modules())
    caught: dict[str, Tensor] = {}
    modes = [(module, module.training) for module in modules.values()]

    def catch(name: str, value: Any) -> None:
        if name in caught:
            raise ValueError(f"{name} is called twice in a forward pass; a layer that is measured is called once.")
        # A copy, as what follows may work in place.
        caught[name] = first_tensor(name, value).detach().clone()

    def run(*args: Any, **kwargs: Any) -> dict[str, Tensor]:
        caught.clear()
        model(*args, **kwargs)
        return dict(caught)

    def after(name: str) -> Callable[..., None]:
        return lambda module, args, output: catch(name, output)

    def before(name: str) -> Callable[..., None]:
        return lambda module, args, kwargs: catch(name, [*args, *kwargs.values()])

    hooks = []
    try:
        hooks += [modules[name].register_forward_hook(after(name)) for name in layers]
        if classifier is not None:
            hooks.append(modules[classifier].register_forward_pre_hook(before(classifier), with_kwargs=True))
        model.eval()
        with torch.no_grad(), as_written():
            yield run
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
        caught.clear()


def as_written() -> AbstractContextManager[Any]:
    """While inside, nothing runs compiled; nothing can be where Dynamo, which takes seconds, was not imported."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


def first_tensor(name: str, value: Any) -> Tensor:
    """A module's output, or of several the first.

    Raises:
        ValueError: it is no tensor.
    """
    while isinstance(value, Sequence | Mapping) and len(value):
        value = next(iter(value.values())) if isinstance(value, Mapping) else value[0]
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{name} has a {type(value).__name__} as its output; a layer's must be a tensor, or begin with one."
        )
    return value
