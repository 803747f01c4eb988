import pytest
import torch
from peeled import peeled
from torch.nn.functional import cross_entropy

from nc_runner.config.choices import Method, Reduction
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.training.descent import GradientDescent


def descent(seeds: list[int], reduction: Reduction, **changes: float) -> GradientDescent:
    config = peeled(method=Method.gd, epochs=30, reduction=reduction)
    config.seeds, config.probes = seeds, 3
    for name, value in changes.items():
        setattr(config.train, name, value)
    return GradientDescent(make_trials(config), *load(config.data))


@pytest.mark.parametrize("reduction", list(Reduction))
def test_it_is_torch_s_sgd_trial_by_trial(reduction: Reduction) -> None:
    training = descent([0, 1, 2], reduction)
    starts = training.network.flat.clone()
    while not training.finished:
        training.advance()
    for t in range(3):
        leaf = starts[t].clone().requires_grad_()
        optimiser = torch.optim.SGD([leaf], lr=0.01)
        for _ in range(30):
            features, weight = leaf.view(-1, 4).split([6, 3])
            optimiser.zero_grad()
            cross_entropy(features @ weight.T, training.y, reduction=reduction.name).backward()
            optimiser.step()
        torch.testing.assert_close(training.network.flat[t], leaf.detach(), rtol=1e-12, atol=1e-13)
    loss, accuracy = training.epoch_loss(), training.epoch_accuracy()
    logits = dict(training.network.features(training.x))[2]
    torch.testing.assert_close(loss, torch.stack([cross_entropy(z, training.y) for z in logits]))
    assert torch.equal(accuracy, (logits.argmax(-1) == training.y).double().mean(-1))


def test_it_stops_at_every_epoch_to_be_measured() -> None:
    training, seen = descent([0], Reduction.sum), []
    while not training.finished:
        training.advance()
        seen.append(training.epoch)
    assert set(seen) >= training.probe_epochs
    assert seen[-1] == 30


def test_restored_it_goes_on_with_the_same_bits() -> None:
    whole, again = descent([0, 1], Reduction.sum), descent([0, 1], Reduction.sum)
    whole.advance()
    saved, step = {name: tensor.clone() for name, tensor in whole.state().items()}, whole.step
    while not whole.finished:
        whole.advance()
    again.load(saved, step)
    while not again.finished:
        again.advance()
    assert torch.equal(whole.network.flat, again.network.flat)
    assert torch.equal(whole.network.log1p_time, again.network.log1p_time)


def test_a_step_far_too_large_ends_in_a_loss_that_is_not_finite_and_in_no_warning() -> None:
    training = descent([0], Reduction.sum, learning_rate=1e200)
    while not training.finished:
        training.advance()
    assert not training.epoch_loss().isfinite().any()
