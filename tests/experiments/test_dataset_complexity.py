"""The claims on complexity, and those on the conic hull, on tables made so that they hold, fail, or say nothing."""

import pytest
from tables import make_results

from nc_runner.config import Config
from nc_runner.experiments import conic_hull, dataset_complexity
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.conjectures import INTER, INTRA

NAMES = ["data.name", "data.teacher_depth", "train.weight_decay"]


def complexity(intra: dict[int, float], ratio: dict[int, float]) -> Results:
    """One trial a data set and weight decay; complexity 0 is the conic hull."""
    trials, rows = [], []
    for depth in intra:
        for decay in (1e-3, 3e-3):
            trial, name = f"{depth}-{decay}", "teacher" if depth else "conic_hull"
            trials.append([trial, "interpolated", 0, name, depth or 1, decay, 300, 0.0, 1.0])
            for metric, value in ((INTRA, intra[depth]), (INTER, -0.2), ("within_between_trace_ratio", ratio[depth])):
                rows.append([trial, 300, 5, metric, value])
    return make_results(Config(), NAMES, trials, rows)


def verdicts(table: Results) -> list[Verdict]:
    return [claim.verdict for claim in dataset_complexity.claims(table)]


FALLING, RISING = {0: 0.9, 3: 0.8, 6: 0.7}, {0: 0.1, 3: 0.2, 6: 0.3}
YES, NO, OPEN = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided


@pytest.mark.parametrize(
    ("intra", "ratio", "expected"),
    [
        (FALLING, RISING, [YES, YES, YES]),
        ({**FALLING, 3: 0.95}, RISING, [NO, YES, YES]),
        (FALLING, {**RISING, 6: 0.15}, [YES, NO, YES]),
        (RISING, FALLING, [NO, NO, NO]),
        ({3: 0.8}, {3: 0.2}, [OPEN, OPEN, OPEN]),
    ],
)
def test_complexity(intra: dict[int, float], ratio: dict[int, float], expected: list[Verdict]) -> None:
    assert verdicts(complexity(intra, ratio)) == expected


@pytest.mark.parametrize(
    ("counts", "kept", "expected"),
    [
        ([2308, 2669, 2607, 2416], 1.0, [YES, YES, YES]),
        ([2308, 2669, 2606, 2417], 0.9999, [NO, NO, NO]),
        ([100, 100, 100, 100], 1.0, [OPEN, YES, YES]),
    ],
)
def test_conic_hull(counts: list[int], kept: float, expected: list[Verdict]) -> None:
    metrics = {f"count_class_{c}": float(n) for c, n in enumerate(counts)}
    metrics |= {"kept_when_scaled": kept, "kept_when_averaged": kept}
    rows = [["t", 0, None, metric, value] for metric, value in metrics.items()]
    table = make_results(Config(), ["data.dim"], [["t", "measured", 0, 16, 0, None, None]], rows)
    assert [claim.verdict for claim in conic_hull.claims(table)] == expected
