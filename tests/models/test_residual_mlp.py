import pytest
import torch
from reference import as_torch, linears, loss_of
from torch import nn

from nc_runner.config.choices import Activation, LossName, ModelName, Norm
from nc_runner.config.schema import ModelConfig
from nc_runner.models import ResidualMLP, build

CPU = torch.device("cpu")


def residual(trials: int, *, depth: int = 5, dtype: torch.dtype = torch.float64, **keys: object) -> ResidualMLP:
    loss = keys.pop("loss", LossName.mse)
    config = ModelConfig(name=ModelName.residual_mlp, depth=depth, width=6, norm=Norm.none, **keys)  # type: ignore[arg-type]
    network = build(config, torch.zeros(2, 5), 4, range(trials), device=CPU, dtype=dtype, loss=loss)  # type: ignore[arg-type]
    assert isinstance(network, ResidualMLP)
    return network


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize(("bias", "loss"), [(True, LossName.cross_entropy), (False, LossName.mse)])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_loss_gradients_and_features_are_torch_s(
    activation: Activation, bias: bool, loss: LossName, depth: int
) -> None:
    network = residual(3, depth=depth, activation=activation, bias=bias, loss=loss)
    x, y = torch.randn(11, 3, 5, dtype=torch.float64), torch.randint(4, (11, 3))
    got = network.loss_and_gradient(x, nn.functional.one_hot(y, 4).double())
    data = torch.randn(9, 5, dtype=torch.float64)
    outputs = dict(network.features(data))
    assert list(outputs) == list(range(1, depth + 1))
    for t in range(3):
        module = as_torch(network, t)
        logits = module(x[:, t])
        expected = loss_of(loss, logits, y[:, t])
        expected.backward()
        torch.testing.assert_close(got.value[t], expected.detach(), rtol=1e-12, atol=0)
        assert got.correct[t] == (logits.argmax(1) == y[:, t]).sum()
        for i, layer in enumerate(linears(module), 1):
            torch.testing.assert_close(network.grads[f"{i}.weight"][t], layer.weight.grad, rtol=1e-10, atol=1e-14)
            if bias:
                torch.testing.assert_close(network.grads[f"{i}.bias"][t], layer.bias.grad, rtol=1e-10, atol=1e-14)
        h = data
        for i, part in enumerate(module, 1):
            h = part(h)
            torch.testing.assert_close(outputs[i][t], h.detach(), rtol=1e-12, atol=1e-14)


def test_gradient_against_finite_differences() -> None:
    network, step = residual(2, activation=Activation.leaky_relu), 1e-6
    x, y = torch.randn(8, 2, 5, dtype=torch.float64), torch.randint(4, (8, 2))
    targets = nn.functional.one_hot(y, 4).double()
    network.loss_and_gradient(x, targets)
    gradient = network.flat_grad.clone()
    for p in range(0, network.flat.shape[1], 3):
        network.flat[:, p] += step
        up = network.loss_and_gradient(x, targets).value
        network.flat[:, p] -= 2 * step
        down = network.loss_and_gradient(x, targets).value
        network.flat[:, p] += step
        torch.testing.assert_close(gradient[:, p], (up - down) / (2 * step), rtol=1e-5, atol=1e-8)


def test_a_linear_block_is_the_identity_plus_its_weight() -> None:
    network = residual(1, depth=4, activation=Activation.linear, bias=False)
    x = torch.randn(9, 5, dtype=torch.float64)
    first, *blocks, head = (network.params[f"{i}.weight"][0] for i in range(1, 5))
    product = first
    for block in blocks:
        product = (torch.eye(6, dtype=torch.float64) + block) @ product
    torch.testing.assert_close(dict(network.features(x))[4][0], x @ (head @ product).T)


def test_a_trial_starts_alike_alone_in_any_stack_and_without_biases() -> None:
    stack = residual(3)
    for t in range(3):
        alone = ResidualMLP(stack.config, 5, 4, [t], device=CPU, dtype=torch.float64)
        assert torch.equal(alone.flat[0], stack.flat[t])
    assert not torch.equal(stack.flat[0], stack.flat[1])
    assert residual(1, bias=False).flat.shape[1] == stack.flat.shape[1] - 4 * 6 - 4
