"""Networks of torchvision and transformers, of which every layer is measured as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import torch
from networks import CLASSES
from torch import Tensor

from nc_runner import metrics
from nc_runner.cli.measure import measure
from nc_runner.measure import collect

RATIO = "within_between_trace_ratio"


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def drawn(*shape: int) -> tuple[Tensor, Tensor]:
    """Inputs [30, *shape] and labels."""
    draw = torch.Generator().manual_seed(6)
    labels = torch.arange(30) % CLASSES
    return torch.randn(30, *shape, generator=draw) + labels.view(-1, *(1 for _ in shape)), labels


def test_a_resnet_has_the_measures_of_its_saved_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = networks.resnet()
    images, labels = drawn(3, 16, 16)
    batches = list(zip(images.split(10), labels.split(10), strict=True))
    found = collect(model, batches, positions="mean", second_pass=True, directions=True, covariance=True)
    assert list(found.layers) == ["layer1.0", "layer2.0", "layer3.0", "layer4.0", "fc"]
    assert model.training
    values = found.compute()

    backbone = torch.nn.Sequential(*list(model.children())[:-1]).eval()
    with torch.no_grad():
        features = torch.cat([backbone(batch).flatten(1) for batch, _ in batches])
    head: Any = model.fc
    monkeypatch.chdir(tmp_path)
    arrays = {"features": features, "labels": labels, "weight": head.weight.detach(), "bias": head.bias.detach()}
    np.savez("saved.npz", **{key: tensor.numpy() for key, tensor in arrays.items()})
    assert measure(["saved.npz", "--json"]) == 0
    saved = json.loads(capsys.readouterr().out)["layers"]["features"]
    assert set(saved) == set(values["fc"])
    for name, value in values["fc"].items():
        number = None if value.isnan() else float(value)
        assert saved[name] == pytest.approx(number, rel=1e-12, abs=1e-15), name
    # What goes into the head is what the last block puts out, averaged.
    same(values["layer4.0"][RATIO], values["fc"][RATIO])


def test_a_vision_transformer_by_its_first_token() -> None:
    hugging = networks.transformers()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    model = hugging.ViTForImageClassification(
        hugging.ViTConfig(**sizes, image_size=8, patch_size=4, num_labels=CLASSES)
    )
    images, labels = drawn(3, 8, 8)
    found = collect(model, [{"pixel_values": images, "labels": labels}], positions="first", second_pass=True)
    with torch.no_grad():
        states = model.eval()(images, output_hidden_states=True).hidden_states
        last = model.vit(images).last_hidden_state[:, 0]
    assert len(found.layers) == 3
    blocks = list(found.compute().values())
    assert "classifier" in found.layers
    same(blocks[0][RATIO], metrics.within_between_trace_ratio(states[1][:, 0], labels))
    same(blocks[-1][RATIO], metrics.within_between_trace_ratio(last, labels))
    expected = metrics.ncc_agreement(last, labels, model.classifier.weight, bias=model.classifier.bias)
    same(blocks[-1]["ncc_agreement"], expected)


def test_a_sequence_classifier() -> None:
    hugging = networks.transformers()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    model = hugging.BertForSequenceClassification(hugging.BertConfig(**sizes, vocab_size=20, num_labels=CLASSES))
    tokens = torch.randint(20, (30, 6), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(tokens)
    mask[::2, 4:] = 0
    labels = torch.arange(30) % CLASSES
    loader = [
        {"input_ids": tokens[some], "attention_mask": mask[some], "labels": labels[some]}
        for some in torch.arange(30).split(10)
    ]
    found = collect(model, loader, layers=["*encoder.layer.1"], positions="first")
    assert [name.split(".")[-1] for name in found.layers] == ["1", "classifier"]
    with torch.no_grad():
        of = [model.eval().bert(batch["input_ids"], batch["attention_mask"]) for batch in loader]
    first, last = found.compute().values()
    pooled, states = torch.cat([out.pooler_output for out in of]), torch.cat([out.last_hidden_state for out in of])
    same(last[RATIO], metrics.within_between_trace_ratio(pooled, labels))
    same(first[RATIO], metrics.within_between_trace_ratio(states[:, 0], labels))


def test_the_next_tokens_of_a_language_model() -> None:
    hugging = networks.transformers()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    model = hugging.LlamaForCausalLM(hugging.LlamaConfig(**sizes, vocab_size=30))
    tokens = torch.randint(7, (16, 9), generator=torch.Generator().manual_seed(2)) * 3  # 7 of the 30 words
    mask = torch.ones_like(tokens)
    mask[:5, 6:] = 0
    found = collect(
        model, [{"input_ids": tokens, "attention_mask": mask}], next_token=True, second_pass=True, classifier="lm_head"
    )
    assert list(found.layers) == ["model.layers.0", "model.layers.1", "lm_head"]
    head = found.layers["lm_head"]
    assert set(head.seen.classes.tolist()) <= {0, 3, 6, 9, 12, 15, 18}
    with torch.no_grad():
        states = model.eval().model(tokens, attention_mask=mask).last_hidden_state
    kept = mask[:, 1:] == 1
    features, labels = states[:, :-1][kept], tokens[:, 1:][kept]
    assert int(head.seen.count.sum()) == int(kept.sum())
    classes, places = labels.unique(return_inverse=True)
    values = found.compute()["lm_head"]
    same(values[RATIO], metrics.within_between_trace_ratio(features, places))
    rows = model.lm_head.weight[classes]
    same(values["ncc_agreement"], metrics.ncc_agreement(features, places, rows, bias=None))
    same(values["self_duality_frobenius"], metrics.self_duality_frobenius(features, places, rows))
