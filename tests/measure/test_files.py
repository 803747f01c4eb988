"""Features from files of every kind have the measures that they have in memory."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from stored import BESIDE, CLASSES, SAMPLES, WIDTH, WRITERS, drawn, here  # noqa: F401 (a fixture)

from nc_runner import metrics
from nc_runner.cli.measure import measure
from nc_runner.errors import UserError
from nc_runner.measure import files

pytestmark = pytest.mark.usefixtures("here")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What ``nc-run measure WORDS --json`` prints."""
    assert measure([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def expected(features: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> dict[str, float]:
    """Some measures of whole tensors."""
    h, y, w, b = (torch.from_numpy(np.asarray(array)) for array in (features, labels, weight, bias))
    return {
        "class_distance_normalized_variance": float(metrics.class_distance_normalized_variance(h, y)),
        "min_margin": float(metrics.margins(h, y, w).amin()),
        "ncc_accuracy": float(metrics.ncc_accuracy(h, y)),
        "ncc_agreement": float(metrics.ncc_agreement(h, y, w, bias=b)),
        "self_duality_frobenius": float(metrics.self_duality_frobenius(h, y, w)),
        "within_between_pinv_trace": float(metrics.within_between_pinv_trace(h, y)),
        "within_between_trace_ratio": float(metrics.within_between_trace_ratio(h, y)),
    }


def agrees(found: dict[str, float], values: dict[str, float]) -> None:
    for name, value in values.items():
        assert found[name] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_of_every_kind_has_the_measures_of_its_arrays(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    if suffix == ".h5":
        pytest.importorskip("h5py")
    arrays = drawn()
    WRITERS[suffix](Path(f"saved{suffix}"), arrays)
    words = {".npy": BESIDE, ".parquet": BESIDE[2:]}.get(suffix, [])
    found = told(capsys, f"saved{suffix}", *words)
    assert list(found) == ["layers"]
    assert list(found["layers"]) == ["features"]
    agrees(found["layers"]["features"], expected(**arrays))


def test_rows_come_compressed_by_columns_half_and_from_the_other_end(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = drawn()
    wanted = expected(**arrays)
    np.savez_compressed("compressed.npz", **arrays)
    np.savez("columns.npz", **arrays | {"features": np.asfortranarray(arrays["features"])})
    np.savez(
        "big.npz", **arrays | {"features": arrays["features"].astype(">f4"), "labels": arrays["labels"].astype("u1")}
    )
    table = {
        "features": pa.FixedSizeListArray.from_arrays(arrays["features"].ravel(), WIDTH),
        "labels": arrays["labels"],
    }
    pq.write_table(pa.table(table), "fixed.parquet")
    for name, words in {"compressed.npz": [], "columns.npz": [], "big.npz": [], "fixed.parquet": BESIDE[2:]}.items():
        if words:
            for key in ("weight", "bias"):
                np.save(f"{key}.npy", arrays[key])
        agrees(told(capsys, name, *words)["layers"]["features"], wanted)
    half = torch.from_numpy(arrays["features"]).to(torch.bfloat16)
    torch.save({"features": half, "labels": torch.from_numpy(arrays["labels"])}, "half.pt")
    (found,) = told(capsys, "half.pt")["layers"].values()
    ratio = metrics.within_between_trace_ratio(half, torch.from_numpy(arrays["labels"]))
    assert found["within_between_trace_ratio"] == pytest.approx(float(ratio), rel=1e-12)
    assert "ncc_agreement" not in found


def test_layers_are_found_and_the_classifier_belongs_to_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = drawn()
    layers = {f"features/block{i}": arrays["features"] * i for i in (10, 2)}
    np.savez("named.npz", labels=arrays["labels"], weight=arrays["weight"], other=arrays["features"], **layers)
    found = told(capsys, "named.npz")["layers"]
    assert list(found) == ["block2", "block10"]
    assert ["ncc_agreement" in of for of in found.values()] == [False, True]
    own = {"weight/block2": arrays["weight"], "bias/block2": arrays["bias"]}
    np.savez("own.npz", labels=arrays["labels"], **layers, **own)
    assert ["ncc_agreement" in of for of in told(capsys, "own.npz")["layers"].values()] == [True, False]
    shaped = arrays["features"].reshape(SAMPLES, 2, WIDTH // 2)
    torch.save(
        {"a": torch.from_numpy(shaped), "deep": {"b": torch.from_numpy(shaped)}, "labels": arrays["labels"].tolist()},
        "x.pt",
    )
    with pytest.raises(UserError, match=r"x\.pt: has no labels \(it has a \(200, 2, 3\), deep/b \(200, 2, 3\)\)"):
        measure(["x.pt"])
    np.save("labels.npy", arrays["labels"])
    found = told(capsys, "x.pt", "--labels", "labels.npy")["layers"]
    assert list(found) == ["a", "deep/b"]
    assert found["a"] == found["deep/b"]
    assert list(told(capsys, "named.npz", "--features", "other", "--features", "block1*")["layers"]) == [
        "block10",
        "other",
    ]


def test_rows_of_the_classifier_are_those_of_the_labels_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = drawn()
    arrays["labels"] = arrays["labels"] + 1
    np.savez("from_1.npz", **arrays)
    from_1 = told(capsys, "from_1.npz")
    more = {
        "weight": np.pad(arrays["weight"], ((1, 3), (0, 0)), constant_values=7.0),
        "bias": np.pad(arrays["bias"], (1, 3)),
    }
    np.savez("vocabulary.npz", **arrays | more)
    assert told(capsys, "vocabulary.npz") == from_1
    some = np.where(np.arange(SAMPLES) < 20, -100, arrays["labels"])
    np.savez("padded.npz", **arrays | {"labels": some})
    kept = {key: array[20:] if len(array) == SAMPLES else array for key, array in arrays.items()}
    found = told(capsys, "padded.npz", "--ignore-index", "-100")["layers"]["features"]
    agrees(found, expected(**kept | {"labels": kept["labels"] - 1}))
    with pytest.raises(
        UserError, match=r"padded\.npz: features: labels contains -100 \(20 times\).*--ignore-index=-100"
    ):
        measure(["padded.npz"])


def test_undefined_is_null_and_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = drawn()
    np.savez("dead.npz", features=0 * arrays["features"], labels=arrays["labels"])
    found = told(capsys, "dead.npz")["layers"]["features"]
    assert found["within_between_trace_ratio"] is None
    assert found["ncc_accuracy"] is None
    assert measure(["dead.npz"]) == 0
    assert re.search(r"undefined +0 within_between_trace_ratio ", capsys.readouterr().out)


def test_people_get_a_line_a_measure_of_80_letters_and_what_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = drawn()
    np.savez("all.npz", **arrays)
    (values,) = told(capsys, "all.npz")["layers"].values()
    assert measure(["all.npz"]) == 0
    heading, columns, *lines = capsys.readouterr().out.splitlines()
    assert heading == f"features: {SAMPLES} samples of {WIDTH} numbers in {CLASSES} classes"
    assert columns.split() == ["value", "collapse", "measure", "what", "it", "means"]
    assert len(lines) == len(values)
    assert max(map(len, [heading, columns, *lines])) <= 80
    shown = {name: line for line in lines for name in values if f" {name} " in line}
    assert set(shown) == set(values)
    for name, line in shown.items():
        assert float(line.split()[0]) == pytest.approx(values[name], rel=1e-3)
        words = line.split(f" {name} ")[1].split()
        assert 1 <= len(words) <= 5, line
    monkeypatch.setattr(files, "WIDEST", WIDTH - 1)
    monkeypatch.setattr(files, "MOST_CLASSES", CLASSES - 1)
    assert measure(["all.npz", "--features", "features"]) == 0
    out = capsys.readouterr().out
    assert out.count("Left out: ") == 2
    assert "linear_decodability" not in out
    assert "etf_cosine_deviation" not in out


def test_several_files_come_in_natural_order_each_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = drawn()
    for epoch in (10, 9):
        np.savez(f"epoch_{epoch}.npz", **arrays | {"features": arrays["features"] + epoch})
    found = told(capsys, "epoch_10.npz", "epoch_9.npz")
    assert list(found) == ["files"]
    assert list(found["files"]) == ["epoch_9.npz", "epoch_10.npz"]
    assert found["files"]["epoch_9.npz"]["layers"]["features"]["mean_norm"] < 30
    assert measure(["epoch_10.npz", "epoch_9.npz"]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if "samples of" in line]
    assert [line.split(": ")[:2] for line in headings] == [["epoch_9.npz", "features"], ["epoch_10.npz", "features"]]
