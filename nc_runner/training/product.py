"""Which library multiplies the matrices of a CPU run: measured once a machine, and kept, so that its bits stay."""

from __future__ import annotations

import contextlib
import json
import statistics
import time

import torch

from nc_runner.data.cache_folder import cache_folder
from nc_runner.errors import UserError
from nc_runner.models.layers import PRODUCTS, onednn_could, onednn_linear
from nc_runner.record.files import write_text
from nc_runner.record.provenance import processor_name

_REPEATS, _CALLS = 7, 5
_MUCH = 1.05  # within this factor torch.mm is as good, and is what there is everywhere


def product_of_this_machine() -> str:
    """One of :data:`~nc_runner.models.layers.PRODUCTS`, as measured the first time; measured again where none is kept.

    Kept by processor and version of torch, in ``NC_CACHE`` or the platform's cache folder.
    """
    path, key = cache_folder() / "products.json", f"{processor_name()}, torch {torch.__version__}"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = None
    known: dict[str, str] = kept if isinstance(kept, dict) else {}
    if known.get(key) in PRODUCTS:
        return known[key]
    known[key] = measured()
    with contextlib.suppress(OSError, UserError):  # it cannot be kept, and is measured again the next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(known, indent=2) + "\n")
    return known[key]


def measured() -> str:
    """The faster one, for a hidden layer's three products at batch 128 and width 200, in one thread; some 20 ms."""
    h, weight, delta = torch.randn(128, 200), torch.randn(200, 200), torch.randn(128, 200)
    if not onednn_could(weight[None]):
        return "mm"

    def mm() -> None:
        _ = h @ weight.t(), delta.t() @ h, delta @ weight

    def onednn() -> None:
        _ = onednn_linear(h, weight), onednn_linear(delta.t(), h.t()), onednn_linear(delta, weight.t())

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times: dict[str, list[float]] = {"mm": [], "onednn": []}
        for _ in range(_REPEATS):  # in turn, so that whatever else runs here slows both
            for name, work in (("mm", mm), ("onednn", onednn)):
                started = time.process_time()
                for _ in range(_CALLS):
                    work()
                times[name].append(time.process_time() - started)
    finally:
        torch.set_num_threads(threads)
    return "onednn" if _MUCH * statistics.median(times["onednn"]) < statistics.median(times["mm"]) else "mm"
