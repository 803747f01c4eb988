"""Any network's layers are measured as their outputs are, and the network is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gloo
import pytest
import torch
from torch import Tensor, nn

from nc_runner import metrics
from nc_runner.measure import Collected, collect

BATCHES = gloo.batches()
LABELS = torch.cat([labels for _, labels in BATCHES])


def outputs(model: nn.Module, part: slice) -> Tensor:
    """What some modules of a Sequential make of the samples, in eval mode."""
    with torch.no_grad():
        return torch.cat([model.eval()[part](inputs) for inputs, _ in BATCHES])  # type: ignore[index]


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_layers_have_the_measures_of_their_outputs_and_the_last_those_of_the_classifier() -> None:
    model = gloo.network()
    found = collect(model, BATCHES, second_pass=True)
    assert list(found.layers) == ["0", "1", "2", "3", "4", "5"]
    values = found.compute()
    for name in range(5):  # "0" before what comes after it in place, "5" by its input
        features = outputs(model, slice(name + 1))
        same(values[str(name)]["within_between_trace_ratio"], metrics.within_between_trace_ratio(features, LABELS))
        same(values[str(name)]["ncc_accuracy"], metrics.ncc_accuracy(features, LABELS))
        assert "ncc_agreement" not in values[str(name)]
    features, head = outputs(model, slice(5)), model[5]  # type: ignore[index]
    same(values["5"]["self_duality_frobenius"], metrics.self_duality_frobenius(features, LABELS, head.weight))
    same(values["5"]["ncc_agreement"], metrics.ncc_agreement(features, LABELS, head.weight, bias=head.bias))


def test_layers_are_chosen_by_patterns_and_the_classifier_by_its_name() -> None:
    model = gloo.network()
    assert list(collect(model, BATCHES, layers="[13]").layers) == ["1", "3", "5"]
    assert list(collect(model, BATCHES, layers=["4", "5", "1"], classifier="none").layers) == ["1", "4", "5"]
    head = collect(model, BATCHES, layers=[], classifier="3").layers
    assert list(head) == ["3"]
    assert head["3"].weight is not None
    assert head["3"].weight.shape == (6, 7)


def test_the_classifier_is_that_of_the_pass_though_training_goes_on() -> None:
    model = gloo.network()
    found = collect(model, BATCHES, layers=[])
    before = found.compute()["5"]["norm_variation_weights"]
    with torch.no_grad():
        model[5].weight[0].mul_(3)  # type: ignore[index, union-attr, operator]
    same(found.compute()["5"]["norm_variation_weights"], before)


def test_other_samples_are_measured_by_the_means_of_the_first() -> None:
    model, train, test = gloo.network(), BATCHES[:4], BATCHES[4:]
    found = collect(model, train, layers=[])
    found.second_pass(test)
    features = outputs(model, slice(5))
    means = metrics.class_means(features[:32], LABELS[:32])
    same(found.compute()["5"]["ncc_accuracy"], metrics.ncc_accuracy_by_means(features[32:], LABELS[32:], means))


class Branching(nn.Module):
    """Positions [B, 3, D] before its classifier; a block that is not called, and one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(5, 6), nn.Linear(5, 6)])
        self.twice = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)
        self.auxiliary = nn.ModuleDict({"head": nn.Identity()})

    def forward(self, x: Tensor, *, scale: float = 1.0) -> dict[str, Tensor]:
        h = self.blocks[0](x * scale)
        h = torch.stack([h, self.twice(h), self.twice(self.twice(h))], dim=1)
        return {"logits": self.head(input=h).mean(dim=1)}


@pytest.mark.parametrize(
    ("positions", "chosen"),
    [
        ("mean", lambda h: h.mean(dim=1)),
        ("first", lambda h: h[:, 0]),
        ("last", lambda h: h[:, 2]),
        ("flatten", lambda h: h.reshape(len(h), -1)),
        (lambda h: h[:, 1], lambda h: h[:, 1]),
    ],
)
def test_what_stands_for_a_sample_of_many_positions_is_said(positions: Any, chosen: Any) -> None:
    model = Branching()
    seen: list[Tensor] = []
    hook = model.head.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(chosen(kwargs["input"].detach())), with_kwargs=True
    )
    for inputs, _ in BATCHES:
        model(inputs)
    hook.remove()
    classifier = "none" if positions == "flatten" else None
    layers = ["head"] if positions == "flatten" else "auto"
    if classifier is None:
        found = collect(model, [{"x": inputs, "labels": labels} for inputs, labels in BATCHES], positions=positions)
        assert list(found.layers) == ["blocks.0", "head"]
        ratio = found.compute()["head"]["within_between_trace_ratio"]
        same(ratio, metrics.within_between_trace_ratio(torch.cat(seen), LABELS))
    else:
        wide = collect(model, BATCHES, layers=layers, classifier=classifier, positions=positions).layers["head"]
        assert wide.seen.width == 9


def test_images_have_their_positions_in_the_last_axes() -> None:
    draw = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Identity())
    images = torch.randn(12, 3, 2, 2, generator=draw)
    labels = torch.arange(12) % 3
    for positions, features in (("mean", images.mean(dim=(2, 3))), ("last", images[:, :, 1, 1])):
        found = collect(model, [(images, labels)], classifier="none", positions=positions).compute()["0"]
        same(found["within_between_trace_ratio"], metrics.within_between_trace_ratio(features, labels))


def test_modes_hooks_and_gradients_are_as_they_were() -> None:
    model = gloo.network().train()
    model[1].eval()  # type: ignore[index, operator]
    statistics = model[1].running_mean.clone()  # type: ignore[index, union-attr, operator]

    def untouched() -> None:
        assert [module.training for module in model.modules()] == [True, True, False, True, True, True, True]
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
        assert torch.equal(model[1].running_mean, statistics)  # type: ignore[index, union-attr, arg-type]
        assert torch.is_grad_enabled()

    found = collect(model, BATCHES)
    untouched()
    assert not found.layers["5"].seen.means.requires_grad

    def broken() -> Iterator[Any]:
        yield BATCHES[0]
        raise KeyError("the disk is gone")

    with pytest.raises(KeyError, match="the disk is gone"):
        collect(model, broken())
    untouched()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        collect(model, [*BATCHES, (torch.ones(8, 4), torch.zeros(8))])
    untouched()
    spoilt = [*BATCHES[:2], (torch.full((8, 5), torch.nan), BATCHES[0][1])]
    with pytest.raises(ValueError, match="8 of 8 samples with NaN"):
        found.second_pass(spoilt)
    untouched()
    assert all(layer.second is None for layer in found.layers.values())


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "pattern": ({"layers": ["block.*"]}, r"layers has 'block\.\*', which no module's name matches; close are blocks"),
    "far pattern": ({"layers": "xyz"}, r"layers has 'xyz', .*; it has blocks, blocks\.0, blocks\.1, twice, head"),
    "classifier": ({"classifier": "haed"}, r"classifier is 'haed', of which the model has no module; close are head"),
    "no matrix": ({"classifier": "blocks"}, r"classifier is 'blocks', whose weight is no matrix"),
    "never called": ({"layers": "blocks.1"}, r"blocks\.1 is never called in a forward pass"),
    "classifier never called": ({"classifier": "blocks.1"}, r"blocks\.1 is never called, so it is no classifier"),
    "called twice": ({"layers": "twice"}, r"twice is called twice in a forward pass"),
    "positions": ({"positions": None}, r"head puts out \(8, 3, 6\), many features for one label; positions= says"),
    "unknown positions": ({"positions": "middle"}, r'positions is "middle"; it must be mean, first, last, flatten'),
    "no batch": ({"loader": []}, r"the loader gave no batch"),
    "once": ({"loader": iter(BATCHES), "second_pass": True}, r"the loader gave no batch in a second pass"),
    "three": ({"loader": [(1, 2, 3)]}, r"a batch of the loader is a tuple of 3; it must be \(inputs, labels\)"),
    "no labels": ({"loader": [{"x": BATCHES[0][0]}]}, r"a batch of the loader has no labels; it has x"),
    "accumulator": ({"ignore_index": 1, "classes": [1]}, r"ignore_index is 1, which classes names"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_sentence(mistake: str) -> None:
    changed, sentence = MISTAKES[mistake]
    asked = {"loader": BATCHES, "positions": "mean"} | changed
    with pytest.raises(ValueError, match=sentence):
        collect(Branching(), **asked)


def test_without_a_linear_it_says_so_and_layers_alone_are_measured() -> None:
    model = nn.Sequential(nn.Tanh(), nn.Identity())
    with pytest.raises(ValueError, match="the model has no Linear, so no classifier was found; classifier= names"):
        collect(model, BATCHES)
    assert list(collect(model, BATCHES, classifier="none").layers) == ["0", "1"]


@pytest.mark.parametrize("in_place", [False, True])
def test_a_compiled_network_is_measured_as_the_network(in_place: bool) -> None:
    plain, model = collect(gloo.network(), BATCHES).compute(), gloo.network()
    compiled: Any = model
    if in_place:
        model.compile(backend="eager")
    else:
        compiled = torch.compile(model, backend="eager")
    compiled.eval()(BATCHES[0][0])  # compiled before there is a hook
    found: Collected = collect(compiled, BATCHES)
    assert list(found.layers) == list(plain)
    for name, values in found.compute().items():
        gloo.agree(values, plain[name])
