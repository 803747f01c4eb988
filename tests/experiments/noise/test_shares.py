"""Counts of seeds against a binomial distribution summed by hand, both errors by simulation, and the ends."""

import math

import numpy as np
import pytest

from nc_runner.experiments.noise.shares import Count, Shares


def probability(so: int, seeds: int, share: float) -> float:
    """Of so many of the seeds."""
    return math.comb(seeds, so) * share**so * (1 - share) ** (seeds - so)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5, 10, 30])
def test_chance_is_the_binomial_distribution(seeds: int) -> None:
    for so in range(seeds + 1):
        as_many = sum(probability(k, seeds, 0.1) for k in range(so, seeds + 1))
        as_few = sum(probability(k, seeds, 0.9) for k in range(so + 1))
        assert Count(so, seeds).many() == (as_many <= 0.05)
        assert Count(so, seeds).few() == (as_few <= 0.05)
        assert Count(so, seeds).few(0.01) == (as_few <= 0.01)


@pytest.mark.parametrize(
    ("counts", "all_so", "not_so"),
    [
        ({"a": (5, 5), "b": (4, 5)}, True, []),
        ({"a": (5, 5), "b": (3, 5)}, False, []),  # in doubt
        ({"a": (5, 5), "b": (2, 5)}, False, ["b"]),
        ({"a": (5, 5), "b": (0, 5)}, False, ["b"]),
        ({"a": (3, 3), "b": (2, 3)}, True, []),
        ({"a": (3, 3), "b": (0, 3)}, False, ["b"]),
        ({"a": (5, 10)}, False, []),  # half of them: neither
        ({"a": (1, 1)}, False, []),  # one seed tells nothing
        ({"a": (0, 1)}, False, []),
        ({}, False, []),
    ],
)
def test_all_do_one_does_not_or_one_cannot_tell(
    counts: dict[str, tuple[int, int]], all_so: bool, not_so: list[str]
) -> None:
    found = Shares({name: Count(*of) for name, of in counts.items()})
    assert (found.all_so, found.not_so) == (all_so, not_so)
    assert found.told.met == (all_so or bool(not_so))


def test_of_many_settings_one_has_to_be_worse() -> None:
    """Of twenty settings where nine in ten do, one with two of five is chance."""
    many = {str(i): Count(5, 5) for i in range(19)}
    assert Shares({**many, "b": Count(2, 5)}).not_so == []
    assert Shares({**many, "b": Count(1, 5)}).not_so == ["b"]


def test_what_is_said_is_the_setting_with_the_least() -> None:
    told = Shares({"0.001": Count(3, 3), "0.005": Count(9, 10), "0.01": Count(4, 5)}).told
    assert (told.name, told.found) == ("told from noise", "the least 4 of 5 at 0.01")
    assert Shares({}).told.found == "no setting"


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("settings", [2, 7, 22])
def test_both_errors_are_five_percent_at_most(seeds: int, settings: int) -> None:
    """All settings fit with nine in ten and more; or all of them but one, where one in ten fits."""
    random = np.random.default_rng(0)
    refused = passed = 0
    for _ in range(400):
        so = random.binomial(seeds, np.linspace(0.9, 1, settings))
        refused += bool(Shares({str(i): Count(int(k), seeds) for i, k in enumerate(so)}).not_so)
        so[0] = random.binomial(seeds, 0.1)
        passed += Shares({str(i): Count(int(k), seeds) for i, k in enumerate(so)}).all_so
    assert max(refused, passed) <= 20
