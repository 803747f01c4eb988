"""The signals that the bound on the rank takes, of every network that has them."""

import pytest
import torch
from reference import as_torch, linears, loss_of
from torch import nn

from nc_runner.config.choices import Activation, LossName, ModelName, Norm
from nc_runner.config.schema import ModelConfig
from nc_runner.metrics import rank_tcv_bound, relative_rank_distance
from nc_runner.models import MLP, ResidualMLP, build

CPU = torch.device("cpu")
X, Y = torch.randn(12, 5, dtype=torch.float64), torch.arange(12) % 4
TARGETS = nn.functional.one_hot(Y, 4).double()


def network(name: ModelName, loss: LossName, activation: Activation, bias: bool = True) -> MLP | ResidualMLP:
    config = ModelConfig(name=name, depth=4, width=7, norm=Norm.none, activation=activation, bias=bias)
    built = build(config, X, 4, [3, 8], device=CPU, dtype=torch.float64, loss=loss)
    assert isinstance(built, MLP)
    return built


@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
@pytest.mark.parametrize("loss", LossName)
@pytest.mark.parametrize("activation", Activation)
def test_signals_are_the_gradients_of_each_sample_s_own_loss(
    name: ModelName, loss: LossName, activation: Activation
) -> None:
    net = network(name, loss, activation)
    signals = {i: (z, delta) for i, z, delta in net.backpropagated(X, TARGETS)}
    assert list(signals) == [4, 3, 2, 1]
    for t in range(2):
        whole = as_torch(net, t)
        loss_of(loss, whole(X), Y).backward()
        for i, layer in enumerate(linears(whole), 1):
            z, delta = signals[i]
            torch.testing.assert_close(delta[t].T @ z[t] / 12, layer.weight.grad, rtol=1e-10, atol=1e-14)
        for sample in (0, 5):  # a bias adds to the preactivation, so its gradient is the signal
            alone = as_torch(net, t)
            loss_of(loss, alone(X[sample : sample + 1]), Y[sample : sample + 1]).backward()
            for i, layer in enumerate(linears(alone), 1):
                torch.testing.assert_close(signals[i][1][t, sample], layer.bias.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
def test_inputs_are_the_features_of_the_layer_below_and_the_bound_holds(name: ModelName) -> None:
    net = network(name, LossName.mse, Activation.relu, bias=False)
    features = dict(net.features(X))
    for i, z, delta in net.backpropagated(X, TARGETS):
        torch.testing.assert_close(z, features[i - 1] if i > 1 else X.expand(2, -1, -1))
        weight = net.params[f"{i}.weight"]
        rest = relative_rank_distance(weight, 4).sqrt() * torch.linalg.matrix_norm(weight)
        assert bool((rest <= rank_tcv_bound(delta, z, Y, weight, 0.01)).all())


def test_it_changes_no_gradient_and_is_refused_with_batch_norm() -> None:
    net = network(ModelName.mlp, LossName.mse, Activation.relu)
    net.flat_grad.fill_(7.0)
    list(net.backpropagated(X, TARGETS))
    assert bool((net.flat_grad == 7.0).all())
    normalised = MLP(ModelConfig(depth=3, width=7), 5, 4, [0], device=CPU, dtype=torch.float64)
    with pytest.raises(ValueError, match="BatchNorm"):
        next(normalised.backpropagated(X, TARGETS))
