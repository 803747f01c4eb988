"""A network of one's own trains as a textbook loop does and as ours do, resumes to the same bits, and is measured."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from nc_runner.config.choices import ModelName, Norm
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials
from nc_runner.errors import UserError
from nc_runner.models import OwnNetwork
from nc_runner.models.own import head_of, made
from nc_runner.rng import generator, minibatch_order
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")
X = torch.randn(150, 5, generator=generator(0, "test"))
Y = torch.randint(3, (150,), generator=generator(2, "test"))


def images() -> Tensor:
    """Of some pixels below 0, which a network that works in place would change."""
    return torch.randn(150, 1, 4, 5, generator=generator(1, "test"))


def model(name: str, **args: Any) -> ModelConfig:
    return ModelConfig(name=ModelName.own, depth=1, norm=Norm.none, _target_=f"own_networks.{name}", args=args)


def config(of: ModelConfig) -> Config:
    train = TrainConfig(
        epochs=4, batch_size=32, learning_rate=0.05, momentum=0.9, weight_decay=1e-2, lr_milestones=[0.5], lr_gamma=0.1
    )
    return Config(data=DataConfig(samples=150, classes=3, dim=5), model=of, train=train)


def training(of: ModelConfig, x: Tensor, seed: int = 3) -> SGD:
    return SGD(make_trials(replace(config(of), {"seeds": [seed]})), x, Y, device=CPU)


def advanced(sgd: SGD, steps: int) -> SGD:
    for _ in range(steps):
        sgd.advance()
    return sgd


def test_it_trains_as_a_textbook_loop_in_the_same_order_of_data() -> None:
    sgd = training(model("Mixed", dropout=0.0), images())
    assert isinstance(sgd.network, OwnNetwork)
    module = made(sgd.config.model, seed=3)
    assert torch.equal(module.head.weight, sgd.network.params["1.weight"][0])
    trained = [tensor for tensor in module.parameters() if tensor.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2], 0.1)
    for epoch in range(4):
        for batch in minibatch_order(3, epoch, 150).split(32):
            optimizer.zero_grad()
            loss = cross_entropy(module(images()[batch]), Y[batch]) + 0 * sum(p.sum() for p in trained)
            loss.backward()
            optimizer.step()
        schedule.step()
    advanced(sgd, 4 * 5)
    assert sgd.finished
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        ours = (sgd.network.params | sgd.network.buffers)[
            name.replace("head.", "1.") if "head" in name else f"backbone.{name}"
        ]
        assert torch.allclose(ours[0], tensor, rtol=1e-4, atol=1e-5), name


def test_it_trains_as_a_network_of_ours_from_the_same_weights() -> None:
    ours = training(ModelConfig(depth=2, width=7, norm=Norm.none), X)
    own = training(model("Plain"), X)
    for name, of_own in (("1", "backbone.first"), ("2", "1")):
        for part in ("weight", "bias"):
            own.network.params[f"{of_own}.{part}"].copy_(ours.network.params[f"{name}.{part}"])
    advanced(ours, 20)
    advanced(own, 20)
    assert torch.allclose(own.network.params["1.weight"], ours.network.params["2.weight"], atol=1e-5)
    assert torch.allclose(own.epoch_loss(), ours.epoch_loss())
    assert torch.equal(own.epoch_accuracy(), ours.epoch_accuracy())
    last, logits = dict(own.network.features(own.x)), dict(ours.network.features(ours.x))
    assert torch.allclose(last[0], logits[1], atol=1e-5)
    assert torch.allclose(last[1], logits[2], atol=1e-5)


def test_it_resumes_to_the_same_bits_with_dropout_and_batch_norm() -> None:
    whole = advanced(training(model("Mixed"), images()), 12)
    begun = advanced(training(model("Mixed"), images()), 7)
    state = copy.deepcopy(begun.state())
    torch.rand(1)  # whatever else draws
    resumed = training(model("Mixed"), images())
    resumed.load(state, 7)
    advanced(resumed, 5)
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, resumed.state()[name]), name
    assert int(whole.state()["backbone.body.2.num_batches_tracked"]) == 12
    batch = images()[:, None], one_hot(Y)[:, None].float()
    first, second = (resumed.network.loss_and_gradient(*batch).value for _ in range(2))
    assert not torch.equal(first, second)  # dropout drops others at every step
    without = advanced(training(model("Mixed", dropout=0.0), images()), 12)
    assert not torch.allclose(without.network.flat, whole.network.flat, atol=1e-3)


def test_what_is_frozen_stays_and_the_rest_moves() -> None:
    x = images()
    before = training(model("Mixed"), x).network
    after = advanced(training(model("Mixed"), x), 3).network
    assert "backbone.frozen.weight" not in after.params
    assert torch.equal(x, images())
    assert torch.equal(after.buffers["backbone.frozen.weight"], before.buffers["backbone.frozen.weight"])
    for name in ("backbone.scale", "backbone.body.1.weight", "1.bias"):
        assert not torch.equal(after.params[name], before.params[name]), name
    assert not torch.equal(
        after.buffers["backbone.body.2.running_mean"], before.buffers["backbone.body.2.running_mean"]
    )


def test_its_start_is_its_seed_s_and_nothing_else_is_drawn() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first, again, other = (training(model("Plain"), X, seed).network.flat for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_features_are_those_of_eval_mode_and_leave_no_trace() -> None:
    sgd = advanced(training(model("Mixed"), images()), 3)
    network = sgd.network
    assert isinstance(network, OwnNetwork)
    before = {name: tensor.clone() for name, tensor in network.buffers.items()}
    x = images()
    features = dict(network.features(x))
    assert torch.equal(x, images())
    assert [tuple(tensor.shape) for tensor in features.values()] == [(1, 150, 6), (1, 150, 3)]
    weight, bias = network.output_layer()
    assert bias is not None
    assert torch.allclose(features[0] @ weight.mT + bias[:, None], features[1], atol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.buffers.items())
    assert not features[1].requires_grad
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in network.module.modules())
    module = made(network.config, 3).eval()
    values = network.params | network.buffers
    state = {
        name: values[name.replace("head.", "1.") if "head" in name else f"backbone.{name}"][0]
        for name in module.state_dict()
    }
    module.load_state_dict(state)
    with torch.no_grad():
        assert torch.allclose(module(images()), features[1][0], atol=1e-5)


REFUSED = {
    "no module": ("nowhere.Net", {}, X, r"nowhere\.Net: cannot be made .*ModuleNotFoundError"),
    "no class": ("own_networks.Net", {}, X, "cannot be made .*AttributeError"),
    "an argument": ("own_networks.Plain", {"depth": 3}, X, r"made with model\.args=\{'depth': 3\} \(TypeError"),
    "no nn.Module": ("own_networks.nothing", {}, X, r"is a dict; allowed is an nn\.Module\."),
    "other inputs": ("own_networks.Plain", {}, X[:, :4], r"cannot take inputs of shape \[2, 4\] \(RuntimeError"),
    "two outputs": ("own_networks.Two", {}, X, r"gives tuple of 2 samples; allowed is \[2, 3\], their logits\."),
    "other classes": ("own_networks.Tied", {}, X, r"gives \[2, 5\] of 2 samples; allowed is \[2, 3\]"),
    "softmax": ("own_networks.Softmax", {}, X, "are not those of a Linear layer of its own"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_one_sentence(what: str) -> None:
    target, args, x, said = REFUSED[what]
    of = ModelConfig(name=ModelName.own, _target_=target, args=args)
    with pytest.raises(UserError, match=rf"(?s)^model\._target_={target}: .*{said}|^model\._target_={said}"):
        head_of(made(of, 0), x[:2], 3, of)


def test_a_last_layer_whose_weight_is_another_s_is_refused_and_a_hook_is_gone() -> None:
    of = model("Tied")
    module = made(of, 0)
    with pytest.raises(UserError, match="not those of a Linear layer of its own"):
        head_of(module, X[:2], 5, of)
    assert not any(layer._forward_hooks for layer in module.modules())
    assert head_of(nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)), X[:2], 3, of) == "1"
