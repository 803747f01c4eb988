"""What several processes have found of a network's layers merges to the whole, or not at all."""

from __future__ import annotations

import copy
from pathlib import Path

import gloo
import pytest
import torch
from torch import Tensor, nn

from nc_runner.measure import Accumulator, collect

BATCHES = gloo.batches()


def test_parts_merge_to_the_whole() -> None:
    model = gloo.network()
    parts = [collect(model, BATCHES[i::3]) for i in range(3)]
    for part in parts[1:]:
        parts[0].merge(part)
    for name, layer in collect(model, BATCHES).compute().items():
        gloo.agree(parts[0].compute()[name], layer)
    with pytest.raises(ValueError, match=r"layers are 0, .* here and 5 there"):
        parts[0].merge(collect(model, BATCHES, layers=[]))
    with pytest.raises(ValueError, match="a second pass was made of one of the two"):
        parts[0].merge(collect(model, BATCHES, second_pass=True))


class Growing(nn.Module):
    """A network whose second layer is of any width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(5, 4), nn.Linear(4, width)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks[1](self.blocks[0](x))  # type: ignore[no-any-return]


@pytest.mark.parametrize("second_pass", [False, True])
def test_a_merge_that_a_later_layer_refuses_changes_no_layer(second_pass: bool) -> None:
    found = collect(Growing(6), BATCHES[:3], classifier="none", second_pass=second_pass)
    other = collect(Growing(7), BATCHES[:3], classifier="none", second_pass=second_pass)
    other.layers["blocks.0"] = copy.deepcopy(found.layers["blocks.0"])
    before = {name: layer.seen.state() for name, layer in found.layers.items()}
    values = found.compute()
    with pytest.raises(ValueError, match="by other class means" if second_pass else "features has 7 numbers a sample"):
        found.merge(other)
    for name, layer in found.layers.items():
        for key, sums in layer.seen.state().items():
            assert torch.equal(sums, before[name][key]), (name, key)
        gloo.agree(layer.compute(), values[name])
        assert layer.second is None or int(layer.second._sums["samples"]) == 24


def test_a_label_that_is_no_class_in_a_later_layer_changes_no_layer() -> None:
    found, other = (collect(Growing(6), BATCHES[:3], classifier="none") for _ in range(2))
    found.layers["blocks.1"].seen = Accumulator(classes=[0, 1])
    with pytest.raises(ValueError, match="labels contains 2"):
        found.merge(other)
    assert int(found.layers["blocks.0"].seen.count.sum()) == 24


def test_second_passes_by_other_means_do_not_merge() -> None:
    """They would look whole, with the first passes of one of the two."""
    model = gloo.network()
    found, other = (collect(model, BATCHES[i::2], second_pass=True) for i in range(2))
    with pytest.raises(ValueError, match="the second passes are by other class means; first passes are merged before"):
        found.merge(other)


def test_two_processes_find_what_one_does(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(gloo.work, (2, tmp_path), nprocs=2)  # type: ignore[no-untyped-call]
    one = gloo.numbers(collect(gloo.network(), BATCHES, second_pass=True, directions=True, covariance=True).compute())
    for rank in range(2):
        found, (twice, twice_after_the_second, by_own_means) = torch.load(tmp_path / f"{rank}.pt")
        assert twice.startswith("gather was called before, and no second pass made since")
        assert twice_after_the_second == twice
        assert by_own_means.startswith("the second passes are by other class means")
        assert list(found) == list(one)
        for name, values in one.items():
            gloo.agree(found[name], values)
