"""Sharpness and tangent kernel against the whole matrices."""

import pytest
import torch
from experiments.jacot2025.test_measures import network_and_data, small
from torch.nn.functional import one_hot

from nc_runner.experiments.jacot2025.curvature import largest_eigenvalue, measured


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_they_are_the_largest_eigenvalues_of_each_trial(activation: str) -> None:
    config = small(model__activation=activation, model__depth=4, model__linear_layers=2, data__samples=12)
    network, x, y = network_and_data(config)
    before = network.flat.clone()
    found = {name: value for _, name, value in measured(network, x, y, 3)}
    assert torch.equal(network.flat, before)
    shapes = [network.params[f"{i}.weight"].shape[1:] for i in range(1, 5)]
    act = {"relu": torch.relu, "tanh": torch.tanh}[activation]

    def outputs(theta: torch.Tensor) -> torch.Tensor:
        h = x
        for i, part in enumerate(theta.split([shape.numel() for shape in shapes])):
            h = h @ part.view(shapes[i]).T
            h = act(h) if i < 2 else h
        return h

    def loss(theta: torch.Tensor) -> torch.Tensor:
        return (outputs(theta) - one_hot(y, 3)).square().sum() / 24

    for trial in range(2):
        theta = torch.cat([network.params[f"{i}.weight"][trial].flatten() for i in range(1, 5)])
        hessian = torch.autograd.functional.hessian(loss, theta)
        jacobian = torch.autograd.functional.jacobian(outputs, theta).flatten(0, 1)
        assert found["sharpness"][trial] == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-3)
        assert found["kernel_norm"][trial] == pytest.approx(float(torch.linalg.svdvals(jacobian)[0]) ** 2, rel=1e-3)


def test_a_trial_that_diverged_has_none() -> None:
    network, x, y = network_and_data(small(data__samples=12))
    network.flat[0, 0] = torch.inf
    for _, _, value in measured(network, x, y, 3):
        assert value.isnan().tolist() == [True, False]


def test_of_many_eigenvalues_it_is_the_largest_and_not_that_of_largest_size() -> None:
    values = torch.linspace(-3, 1, 2000, dtype=torch.float64)
    assert largest_eigenvalue(lambda u: values * u, values) == pytest.approx(1, rel=1e-4)
