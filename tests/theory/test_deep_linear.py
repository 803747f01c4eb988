"""What the optima of deep linear networks have in common: equal singular values, broadcasting, NaN, refusals."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from theory.minimisers import every_draw, feedforward_mode, resnet_mode

from nc_runner.theory import (
    feedforward_singular_values,
    first_layer_delta_limit,
    first_layer_delta_singular_values,
    resnet_singular_values,
)


def splits(parts):
    """Squared norms of orthogonal parts of Z, as shares: the corners, the middle, and a grid between them."""
    steps = 12
    for counts in itertools.combinations_with_replacement(range(steps + 1), parts):
        if sum(counts) == steps:
            yield [count / steps for count in counts]


MODES = {
    "feedforward": (feedforward_mode, feedforward_singular_values),
    "resnet": (resnet_mode, resnet_singular_values),
}


@every_draw
@given(st.sampled_from(list(MODES)), st.integers(2, 3), st.integers(1, 6), st.floats(-3.5, 0.5), st.floats(-0.7, 0.7))
def test_no_unequal_singular_values_are_better(name, classes, layers, log_decay, log_bound):
    mode, predict = MODES[name]
    weight_decay, bound = 10**log_decay, 10**log_bound
    cache = {}

    def value(share):
        if share not in cache:
            zero = share == 0
            cache[share] = 1 if zero else mode(bound * math.sqrt(classes * share), weight_decay * classes, layers)
        return cache[share]

    found = min(sum(value(share) for share in split) for split in splits(classes)) / (2 * classes)
    predicted = float(predict(weight_decay, classes, layers, bound).objective)
    assert predicted <= found * (1 + 1e-12)
    assert predicted == pytest.approx(found, rel=1e-4, abs=1e-6)


def test_unequal_singular_values_are_unstable_for_two_matrices():
    """In u = lambda K / x the least value has slope (u^4 - u^3)/2 and curvature u^5 (3/4 - u), up to scale, in x^2:
    two modes of equal slope, one of negative curvature, gain from growing apart."""
    for u in np.linspace(1e-3, 0.749, 200):
        other = brentq(lambda v, u=u: v**3 * (1 - v) - u**3 * (1 - u), 0.75, 1)
        assert u**5 * (0.75 - u) + other**5 * (0.75 - other) < 0


def test_numbers_of_classes_broadcast():
    """At these penalties a rank above the smaller number of classes would be better, were there one."""
    classes = torch.tensor([2, 9, 4])
    for predict in (feedforward_singular_values, first_layer_delta_singular_values, resnet_singular_values):
        for weight_decay in (0, 1e-3):
            together = zip(*predict(weight_decay, classes, 3, 1.0), strict=True)
            for fields, number in zip(together, (2, 9, 4), strict=True):
                alone = predict(weight_decay, number, 3, 1.0)
                assert [float(f) for f in fields] == pytest.approx([float(f) for f in alone], rel=1e-12, abs=1e-50)


def test_a_nan_argument_gives_nan_and_spoils_no_neighbour():
    nan = torch.tensor([torch.nan, 0.01], dtype=torch.float64)
    for predict in (feedforward_singular_values, first_layer_delta_singular_values, resnet_singular_values):
        alone = predict(0.01, 4, 3, 1.0)
        for arguments in ((nan, 4, 3, 1.0), (0.01, nan + 3.99, 3, 1.0), (0.01, 4, nan + 2.99, 1.0)):
            for field, expected in zip(predict(*arguments), alone, strict=True):
                assert field.shape == (2,)
                assert field[0].isnan()
                assert float(field[1]) == pytest.approx(float(expected), rel=1e-12)
    hidden, first = first_layer_delta_limit(nan, 3, 1.0)
    assert hidden.isnan().tolist() == first.isnan().tolist() == [True, False]


def test_bad_arguments_are_named():
    for predict in (feedforward_singular_values, first_layer_delta_singular_values, resnet_singular_values):
        with pytest.raises(ValueError, match=r"weight_decay is -0\.1; it must be at least 0\."):
            predict(-0.1, 4, 3, 1.0)
        with pytest.raises(ValueError, match=r"num_classes is 0; it must be at least 1\."):
            predict(0.1, 0, 3, 1.0)
    with pytest.raises(ValueError, match=r"matrices is 0; it must be at least 1\."):
        feedforward_singular_values(0.1, 4, 0)
    with pytest.raises(ValueError, match=r"blocks is 0; it must be at least 1\."):
        resnet_singular_values(0.1, 4, 0)
    with pytest.raises(ValueError, match=r"feature_bound is 0; it must be greater than 0\."):
        resnet_singular_values(0.1, 4, 2, 0.0)
    with pytest.raises(ValueError, match=r"feature_bound is -1; it must be greater than 0\."):
        feedforward_singular_values(0.1, 4, 2, -1.0)
    with pytest.raises(ValueError, match=r"delta is 0; it must be greater than 0\."):
        first_layer_delta_singular_values(0.1, 4, 2, 0.0)
    with pytest.raises(ValueError, match=r"target is -1; it must be at least 0\."):
        first_layer_delta_limit(-1.0, 2, 1.0)
