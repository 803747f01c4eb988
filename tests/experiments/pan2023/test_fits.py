"""Which trials fit, which weight decays have enough of them, and what is told of the others."""

import dataclasses
from typing import Any

from experiments.pan2023.made import CONIC, FIRST, WD, depths

from nc_runner.experiments.pan2023.conjectures import INTRA
from nc_runner.experiments.pan2023.effective_depth import NCC
from nc_runner.experiments.pan2023.fits import enough_seeds, fitting, left_out, measured, trained


def test_weight_decays_with_fewer_seeds_than_three_are_left_out_where_others_have_them() -> None:
    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        point["status"] = "underfit" if point[WD] == 1e-2 and point["seed"] < 3 else "interpolated"

    fits = fitting(depths(edit))
    assert 1e-2 in set(fits.trials[WD])
    assert set(enough_seeds(fits).trials[WD]) == set(FIRST) - {1e-2}
    assert set(enough_seeds(fitting(depths(seeds=1, words=CONIC))).trials[WD]) == set(FIRST)
    assert left_out(fits, enough_seeds(fits)) == "; left out: weight decays 0.01 (too few seeds fit)"


def test_what_is_trained_and_what_is_measured() -> None:
    fits = depths(lambda point, metrics: point.update(status="diverged" if point["seed"] else "underfit"), words=CONIC)
    assert trained(5)(fits).met
    unfinished = dataclasses.replace(fits, trials=fits.trials.assign(status="unfinished"))
    assert not trained(1)(unfinished).met
    assert not trained(6)(fits).met
    assert measured(NCC, INTRA)(fits).met
    assert measured("not there")(fits).found == "not measured: not there"
