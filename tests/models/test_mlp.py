import pytest
import torch
from reference import ACTIVATIONS, as_torch, linears, loss_of
from torch import nn

from nc_runner.config.choices import Activation, Init, LossName, Norm
from nc_runner.config.schema import ModelConfig
from nc_runner.models import MLP, layers
from nc_runner.models.activations import ACTIVATIONS as POINTWISE
from nc_runner.models.mlp import initial_gain

CPU = torch.device("cpu")


@pytest.mark.parametrize("norm", Norm)
@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize(("bias", "loss_name"), [(True, LossName.cross_entropy), (False, LossName.mse)])
@pytest.mark.parametrize(
    ("trials", "width", "dtype"), [(1, 6, torch.float64), (3, 6, torch.float64), (1, 128, torch.float32)]
)
def test_loss_gradients_and_features_are_torch_s(
    norm: Norm, activation: Activation, bias: bool, loss_name: LossName, trials: int, width: int, dtype: torch.dtype
) -> None:
    config = ModelConfig(
        depth=3, width=width, norm=norm, activation=activation, bias=bias, batch_norm_eps=0.03, batch_norm_momentum=0.3
    )
    network = MLP(config, 5, 4, range(trials), device=CPU, dtype=dtype, loss=loss_name)
    if norm in (Norm.affine, Norm.layer):  # away from the initial gamma 1, beta 0
        for i in (1, 2):
            network.params[f"{i}.gamma"].uniform_(0.5, 1.5)
            network.params[f"{i}.beta"].uniform_(-0.5, 0.5)
    x = torch.randn(11, trials, 5, dtype=dtype)
    y = torch.randint(4, (11, trials))
    references = [as_torch(network, t) for t in range(trials)]
    loss = network.loss_and_gradient(x, nn.functional.one_hot(y, 4).to(dtype))
    tolerance = {"rtol": 1e-10, "atol": 1e-12} if dtype is torch.float64 else {"rtol": 2e-4, "atol": 1e-6}
    for t, reference in enumerate(references):
        logits = reference.train()(x[:, t])
        expected = loss_of(loss_name, logits, y[:, t])
        expected.backward()
        torch.testing.assert_close(loss.value[t], expected.detach(), **tolerance)
        assert loss.correct[t] == (logits.argmax(1) == y[:, t]).sum()
        norms = [m for m in reference if isinstance(m, nn.BatchNorm1d | nn.LayerNorm)]
        for i, module in enumerate(linears(reference), 1):
            torch.testing.assert_close(network.grads[f"{i}.weight"][t], module.weight.grad, **tolerance)
            if bias:
                torch.testing.assert_close(network.grads[f"{i}.bias"][t], module.bias.grad, **tolerance)
            assert (f"{i}.bias" in network.params) is bias
        for i, module in enumerate(norms, 1):
            if isinstance(module, nn.BatchNorm1d):
                torch.testing.assert_close(network.buffers[f"{i}.running_mean"][t], module.running_mean, **tolerance)
                torch.testing.assert_close(network.buffers[f"{i}.running_var"][t], module.running_var, **tolerance)
            if module.weight is not None:
                torch.testing.assert_close(network.grads[f"{i}.gamma"][t], module.weight.grad, **tolerance)
                torch.testing.assert_close(network.grads[f"{i}.beta"][t], module.bias.grad, **tolerance)
    # In eval mode: every layer's output, hidden ones after their norm.
    hidden = (nn.BatchNorm1d, nn.LayerNorm) if norm is not Norm.none else ACTIVATIONS[activation]
    data = torch.randn(9, 5, dtype=dtype)
    outputs = dict(network.features(data))
    for t, reference in enumerate(references):
        h, layer = data, 0
        for module in reference.eval():
            h = module(h)
            if isinstance(module, hidden) or module is reference[-1]:
                layer += 1
                torch.testing.assert_close(outputs[layer][t], h.detach(), **tolerance)
        assert layer == config.depth == len(outputs)


def test_gradient_against_finite_differences() -> None:
    network = MLP(
        ModelConfig(depth=3, width=4, activation=Activation.leaky_relu), 3, 3, [0, 1], device=CPU, dtype=torch.float64
    )
    x, y = torch.randn(8, 2, 3, dtype=torch.float64), torch.randint(3, (8, 2))
    targets = nn.functional.one_hot(y, 3).double()
    network.loss_and_gradient(x, targets)
    gradient, step = network.flat_grad.clone(), 1e-6
    for p in range(0, network.flat.shape[1], 3):
        network.flat[:, p] += step
        up = network.loss_and_gradient(x, targets).value
        network.flat[:, p] -= 2 * step
        down = network.loss_and_gradient(x, targets).value
        network.flat[:, p] += step
        torch.testing.assert_close(gradient[:, p], (up - down) / (2 * step), rtol=1e-5, atol=1e-8)


def test_batch_statistics_leave_the_running_ones_alone_and_normalise_the_data() -> None:
    network = MLP(ModelConfig(depth=2, width=5), 3, 3, [0], device=CPU, dtype=torch.float64)
    before = {name: tensor.clone() for name, tensor in network.buffers.items()}
    h = dict(network.features(torch.randn(40, 3, dtype=torch.float64), batch_statistics=True))[1]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.buffers.items())
    torch.testing.assert_close(h.mean(1), torch.zeros(1, 5, dtype=torch.float64))


def test_the_first_layer_may_have_a_width_of_its_own() -> None:
    network = MLP(ModelConfig(depth=4, width=6, first_width=9, bias=False), 5, 3, [0], device=CPU)
    weights = [tuple(network.params[f"{i}.weight"].shape[1:]) for i in range(1, 5)]
    assert weights == [(9, 5), (6, 9), (6, 6), (3, 6)]
    assert network.params["1.gamma"].shape == (1, 9)
    reference = as_torch(network, 0).eval()
    x = torch.randn(7, 5)
    *_, (_, logits) = network.features(x)
    torch.testing.assert_close(logits[0], reference(x))


def test_a_trial_starts_alike_alone_and_in_any_stack() -> None:
    config = ModelConfig(depth=3, width=6)
    stack = MLP(config, 5, 4, [7, 3, 7], device=CPU)
    for t, seed in enumerate([7, 3, 7]):
        assert torch.equal(MLP(config, 5, 4, [seed], device=CPU).flat[0], stack.flat[t])
    assert not torch.equal(stack.flat[0], stack.flat[1])


def test_initial_weights_are_uniform_in_torch_s_default_range() -> None:
    network = MLP(ModelConfig(depth=2, width=400), 100, 4, [0], device=CPU)
    weight, bias = network.params["1.weight"], network.params["1.bias"]
    assert weight.abs().max() <= 0.1
    assert bias.abs().max() <= 0.1
    assert abs(weight.std().item() - 0.1 / 3**0.5) < 1e-3


@pytest.mark.parametrize("product", layers.PRODUCTS)
def test_every_product_is_the_product(product: str) -> None:
    h, weight, bias, grad = (torch.randn(1, *shape) for shape in ((128, 200), (150, 200), (150,), (128, 150)))
    into_weight, into_bias = torch.full_like(weight, torch.nan), torch.full_like(bias, torch.nan)
    before = layers.product_in_use()
    layers.multiply_by(product)
    try:
        layer = layers.Linear(weight, bias, into_weight, into_bias, inputs_beside=False, outputs_beside=False)
    finally:
        layers.multiply_by(before)
    if product == "onednn" and not layers.onednn_could(weight):
        pytest.skip("this torch has no oneDNN")
    assert layer.onednn is (product == "onednn")
    layer.gradient(grad[0], h[0])
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(layer(h[0]), (h @ weight.mT + bias.unsqueeze(1))[0], **close)
    torch.testing.assert_close(layer.to_input(grad[0]), (grad @ weight)[0], **close)
    torch.testing.assert_close(into_weight, grad.mT @ h, **close)
    torch.testing.assert_close(into_bias, grad.sum(1), **close)


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize("linear_layers", [1, 2, 3, 4])
def test_nothing_follows_the_layers_of_a_linear_head(activation: Activation, linear_layers: int) -> None:
    config = ModelConfig(
        depth=4, width=6, norm=Norm.none, activation=activation, bias=False, linear_layers=linear_layers
    )
    network = MLP(config, 5, 3, [0, 1], device=CPU, dtype=torch.float64, loss=LossName.mse)
    x, y = torch.randn(9, 5, dtype=torch.float64), torch.arange(9) % 3
    targets = nn.functional.one_hot(y, 3).double()
    network.loss_and_gradient(x.unsqueeze(1).expand(-1, 2, -1), targets.unsqueeze(1).expand(-1, 2, -1))
    features, passed = dict(network.features(x)), {i: (z, delta) for i, z, delta in network.backpropagated(x, targets)}
    for t in range(2):
        weights = [network.params[f"{i}.weight"][t].clone().requires_grad_() for i in range(1, 5)]
        h = x
        for i, weight in enumerate(weights, 1):
            torch.testing.assert_close(passed[i][0][t], h.detach())
            h = h @ weight.T
            h = ACTIVATIONS[activation]()(h) if i <= 4 - linear_layers else h
            torch.testing.assert_close(features[i][t], h.detach())
        loss_of(LossName.mse, h, y).backward()
        for i, weight in enumerate(weights, 1):
            z, delta = passed[i]
            torch.testing.assert_close(network.grads[f"{i}.weight"][t], weight.grad, rtol=1e-10, atol=1e-14)
            torch.testing.assert_close(delta[t].T @ z[t] / 9, weight.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("activation", [Activation.relu, Activation.linear])
def test_he_s_initial_weights_keep_the_mean_square_of_features_and_torch_s_divide_it(activation: Activation) -> None:
    shrinks = {Activation.relu: 6.0, Activation.linear: 3.0}[activation]
    x = torch.randn(400, 300)
    for init, factor in ((Init.he, 1.0), (Init.torch, 1 / shrinks)):
        config = ModelConfig(
            depth=5, width=300, norm=Norm.none, activation=activation, bias=False, init=init, linear_layers=2
        )
        network = MLP(config, 300, 200, [0], device=CPU)
        before = x
        for i, after in network.features(x):
            ratio = float(after.square().mean() / before.square().mean())
            # The second moment of the inputs is kept before the activation, of which a ReLU keeps half.
            assert ratio == pytest.approx(factor if i <= 3 or init is Init.he else 1 / 3, rel=0.15), (init, i)
            before = after


@pytest.mark.parametrize("activation", Activation)
def test_he_s_gain_keeps_the_mean_square_of_standard_normal_inputs(activation: Activation) -> None:
    """A uniform weight in +-gain/sqrt(n) has the variance gain^2/(3n)."""
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    kept = torch.trapezoid(ACTIVATIONS[activation]()(z) ** 2 * torch.exp(-(z**2) / 2), z) / (2 * torch.pi) ** 0.5
    gain = initial_gain(ModelConfig(init=Init.he), POINTWISE[activation])
    assert gain**2 / 3 * float(kept) == pytest.approx(1.0, rel=1e-5)
    assert initial_gain(ModelConfig(init=Init.torch), POINTWISE[activation]) == 1.0


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize(("norm", "norm_on"), [(Norm.affine, [2]), (Norm.plain, [1, 3]), (Norm.layer, [1])])
def test_norms_on_some_layers_are_torch_s(norm: Norm, norm_on: list[int], trials: int) -> None:
    config = ModelConfig(depth=4, width=6, norm=norm, norm_on=norm_on, activation=Activation.gelu)
    network = MLP(config, 5, 4, range(trials), device=CPU, dtype=torch.float64)
    x, y = torch.randn(11, trials, 5, dtype=torch.float64), torch.randint(4, (11, trials))
    references = [as_torch(network, t) for t in range(trials)]
    network.loss_and_gradient(x, nn.functional.one_hot(y, 4).double())
    outputs = dict(network.features(x[:, 0]))
    for t, reference in enumerate(references):
        assert sum(isinstance(m, nn.BatchNorm1d | nn.LayerNorm) for m in reference) == len(norm_on)
        loss_of(LossName.cross_entropy, reference.train()(x[:, t]), y[:, t]).backward()
        for i, module in enumerate(linears(reference), 1):
            torch.testing.assert_close(network.grads[f"{i}.weight"][t], module.weight.grad, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(outputs[4][t], reference.eval()(x[:, 0]).detach(), rtol=1e-9, atol=1e-12)
    running = {f"{i}.running_{of}" for i in norm_on for of in ("mean", "var")} if norm is not Norm.layer else set()
    assert set(network.buffers) == running


def test_he_s_bound_is_of_weights_and_not_of_biases() -> None:
    config = ModelConfig(depth=3, width=500, norm=Norm.none, activation=Activation.leaky_relu, init=Init.he)
    network = MLP(config, 400, 4, [0], device=CPU)
    for i, inputs in ((1, 400), (2, 500), (3, 500)):
        slope = 0.01 if i < 3 else 1.0
        assert network.params[f"{i}.weight"].abs().max() == pytest.approx(
            (6 / (1 + slope**2) / inputs) ** 0.5, rel=2e-2 if i == 3 else 1e-3
        )
        assert network.params[f"{i}.bias"].abs().max() <= inputs**-0.5


def test_a_fresh_network_normalises_by_the_running_variance_1() -> None:
    config = ModelConfig(depth=2, width=6, norm=Norm.plain, batch_norm_eps=0.5)
    network = MLP(config, 5, 4, [0], device=CPU, dtype=torch.float64)
    x = torch.randn(9, 5, dtype=torch.float64)
    hidden = torch.relu(x @ network.params["1.weight"][0].T + network.params["1.bias"][0])
    torch.testing.assert_close(dict(network.features(x))[1][0], hidden / 1.5**0.5)
