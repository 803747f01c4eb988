"""Files that are damaged, or do not hold what is asked for, get a sentence and nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from stored import BESIDE, WRITERS, drawn, here  # noqa: F401 (a fixture)

from nc_runner.cli.measure import measure
from nc_runner.errors import UserError

pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize("suffix", [*WRITERS, ".compressed.npz"])
def test_a_file_cut_anywhere_is_a_sentence_and_no_output(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    if suffix == ".h5":
        pytest.importorskip("h5py")
    path, arrays = Path(f"saved{suffix}"), drawn()
    if suffix == ".compressed.npz":
        np.savez_compressed(path, **arrays)
    else:
        WRITERS[suffix](path, arrays)
    words = {".npy": BESIDE, ".parquet": BESIDE[2:]}.get(suffix, [])
    whole = path.read_bytes()
    for kept in (0, 5, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(
            UserError, match=rf"^{path}: cannot be read as \{path.suffix} \(.*\); it may be cut short"
        ) as said:
            measure([str(path), *words])
        assert "\n" not in str(said.value)
        assert capsys.readouterr().out == ""


def test_a_flipped_bit_of_an_archive_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = drawn()
    np.savez("saved.npz", **arrays)
    damaged = bytearray(Path("saved.npz").read_bytes())
    damaged[1000] ^= 1
    Path("saved.npz").write_bytes(damaged)
    with pytest.raises(UserError, match=r"cannot be read as \.npz \(Bad CRC-32"):
        measure(["saved.npz"])
    assert capsys.readouterr().out == ""


ARRAYS = drawn()
MISTAKES: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "no file": ({}, [], r"measure: no file was named; allowed is"),
    "no such file": ({}, ["nowhere.npz"], r"nowhere\.npz: there is no such file"),
    "unknown kind": ({}, ["x.csv"], r"x\.csv: is of no kind .*allowed are \.npz, \.npy, \.safetensors"),
    "unknown word": ({}, ["x.npz", "--colour"], r"measure: unrecognized arguments: --colour; nc-run measure --help"),
    "word without a key": ({}, ["x.npz", "--labels"], r"measure: argument --labels: expected one argument"),
    "no labels": ({"labels": None}, ["x.npz"], r"has no labels \(it has features \(200, 6\), .*--labels names"),
    "no features": ({"features": None}, ["x.npz"], r"has no features \(it has labels \(200,\)"),
    "mistyped labels": ({}, ["x.npz", "--labels", "labls"], r"no key labls for --labels; did you mean labels\?"),
    "mistyped features": ({}, ["x.npz", "--features", "feature"], r"no key feature for --features; did you mean feat"),
    "two-dimensional labels": ({"labels": np.eye(4)[ARRAYS["labels"]]}, ["x.npz"], r"labels has shape \(200, 4\)"),
    "labels of numbers": ({"labels": ARRAYS["labels"] + 0.5}, ["x.npz"], r"labels has dtype torch\.float64; it must"),
    "too few labels": ({"labels": ARRAYS["labels"][1:]}, ["x.npz"], r"features has shape \(200, 6\); with 199 labels"),
    "flat features": ({"features": ARRAYS["features"][:, 0]}, ["x.npz"], r"features has shape \(200,\); with 200"),
    "one class": ({"labels": 0 * ARRAYS["labels"] + 3}, ["x.npz"], r"features: labels has a single class, 3; it must"),
    "no sample": ({k: ARRAYS[k][:0] for k in ("features", "labels")}, ["x.npz"], r"features: there is no sample"),
    "integers": ({"features": ARRAYS["features"].astype(int)}, ["x.npz"], r"features has dtype torch\.int64"),
    "narrow weight": ({"weight": ARRAYS["weight"][:, 1:]}, ["x.npz"], r"weight has rows of length 5"),
    "short weight": ({"weight": ARRAYS["weight"][1:]}, ["x.npz"], r"labels contains 3, and 4 classes; weight has 3"),
    "short bias": ({"bias": ARRAYS["bias"][1:]}, ["x.npz"], r"bias has shape \(3,\); it must have shape \(4,\)"),
    "bias alone": ({"weight": None}, ["x.npz"], r"bias is given without weight"),
    "two ways to tell": ({}, ["x.npz", "--json", "--plot"], r"--json and --plot were given"),
    "plot of one": ({}, ["x.npz", "--plot"], r"--plot was given with one layer of one file"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_sentence_and_no_output(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    changed, words, sentence = MISTAKES[mistake]
    np.savez("x.npz", **{key: array for key, array in (ARRAYS | changed).items() if array is not None})
    with pytest.raises(UserError, match=sentence):
        measure(words)
    assert capsys.readouterr().out == ""
    assert [path.name for path in Path().iterdir()] == ["x.npz"]


def test_what_is_not_finite_is_told_with_where(capsys: pytest.CaptureFixture[str]) -> None:
    features = ARRAYS["features"].copy()
    features[150, 1] = math.nan
    np.savez("x.npz", **ARRAYS | {"features": features})
    with pytest.raises(
        UserError, match=r"of the samples from 140 on, features has 1 of 60 .* the first of them sample 10"
    ):
        measure(["x.npz"])
    assert capsys.readouterr().out == ""


def test_objects_and_uneven_lists_are_refused() -> None:
    torch.save({"features": torch.ones(2, 2), "labels": Path("x")}, "objects.pt")
    with pytest.raises(UserError, match=r"objects\.pt: holds Python objects beside tensors"):
        measure(["objects.pt"])
    for rows in ([[1.0, 2.0], [1.0]], [[1.0, 2.0], None]):
        pq.write_table(pa.table({"features": rows, "labels": [0, 1]}), "uneven.parquet")
        with pytest.raises(UserError, match=r"uneven\.parquet: features has an empty row, or one longer than another"):
            measure(["uneven.parquet"])
    pq.write_table(pa.table({"features": [[1.0, 2.0], [1.0, None]], "labels": [0, 1]}), "uneven.parquet")
    with pytest.raises(UserError, match=r"uneven\.parquet: features has empty places"):
        measure(["uneven.parquet"])
