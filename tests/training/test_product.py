"""The library that multiplies: measured once, kept by processor and version, never in the way."""

import json
from pathlib import Path

import pytest
import torch

from nc_runner.models.layers import PRODUCTS
from nc_runner.training import product
from nc_runner.training.product import measured, product_of_this_machine

KEY = f"{product.processor_name()}, torch {torch.__version__}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "products.json"


@pytest.mark.parametrize("fast", PRODUCTS)
def test_it_is_measured_once_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch, fast: str) -> None:
    monkeypatch.setattr(product, "measured", lambda: fast)
    assert product_of_this_machine() == fast
    monkeypatch.setattr(product, "measured", lambda: pytest.fail("it is known"))
    assert product_of_this_machine() == fast
    assert json.loads(cache.read_text()) == {KEY: fast}


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"another processor, torch 1": "onednn"}', f'{{"{KEY}": "sorcery"}}'])
def test_what_is_damaged_or_of_another_machine_is_not_taken(
    cache: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    cache.parent.mkdir()
    cache.write_text(kept)
    monkeypatch.setattr(product, "measured", lambda: "mm")
    assert product_of_this_machine() == "mm"
    assert json.loads(cache.read_text())[KEY] == "mm"
    assert ("another processor, torch 1" in json.loads(cache.read_text())) is ("another" in kept)


def test_where_it_cannot_be_kept_it_is_measured(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.write_text("a file where a folder would be")
    monkeypatch.setattr(product, "measured", lambda: "onednn")
    assert product_of_this_machine() == "onednn"


@pytest.mark.parametrize(("seconds", "faster"), [((1.0, 2.0), "mm"), ((2.0, 1.0), "onednn"), ((1.04, 1.0), "mm")])
def test_the_faster_is_taken_and_mm_where_they_are_alike(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, float], faster: str
) -> None:
    """By a clock of our own: in turn a start and an end of mm, a start and an end of oneDNN."""
    readings = iter([0.0, seconds[0], 0.0, seconds[1]] * 7)
    monkeypatch.setattr(product.time, "process_time", lambda: next(readings))
    monkeypatch.setattr(product, "onednn_could", lambda weight: True)
    monkeypatch.setattr(product, "onednn_linear", lambda a, b: a)
    assert measured() == faster
    monkeypatch.setattr(product, "onednn_could", lambda weight: False)
    assert measured() == "mm"
