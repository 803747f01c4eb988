"""What is measured of a linear head, against plain loops, and the plateau it predicts against training."""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import one_hot

from nc_runner import metrics
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.errors import UserError
from nc_runner.experiments.jacot2025 import measures
from nc_runner.experiments.jacot2025.head import check, head_of
from nc_runner.experiments.jacot2025.layers import largest_cosine
from nc_runner.models import build
from nc_runner.rng import generator
from nc_runner.theory import imbalance_decay
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")
SMALL = {
    "data.name": "gaussian_mixture", "data.samples": 60, "data.classes": 3, "data.dim": 5, "data.sigma": 0.3,
    "model.depth": 6, "model.linear_layers": 3, "model.width": 8, "model.norm": "none", "model.bias": False,
    "model.init": "he", "train.loss": "mse", "train.batch_size": 10, "train.precision": "float64",
}  # fmt: skip


def small(**changes):
    return replace(Config(), SMALL | {key.replace("__", "."): value for key, value in changes.items()})


def network_and_data(config, seeds=(0, 1)):
    x, y = load(config.data)
    x = x.double()
    network = build(config.model, x, 3, seeds, device=CPU, dtype=torch.float64, loss=config.train.loss)
    network.weight_decay = {name: torch.full((len(seeds),), 0.01) for name in network.params}
    return network, x, y


def measured(config, **options):
    network, x, y = network_and_data(config, **options)
    return network, x, y, {(layer, name): value for layer, name, value in measures.measure(network, x, y, config)}


def test_layers_are_counted_from_the_output_of_the_mlp_s_second_layer():
    network, x, y, values = measured(small())
    weights = [network.params[f"{i}.weight"][1] for i in range(1, 7)]
    z, before = [x], []
    for i, weight in enumerate(weights):
        before.append(z[-1] @ weight.T)
        z.append(before[-1].clamp(min=0) if i < 3 else before[-1])
    for layer in range(5):
        for name, of in (
            ("within_between_trace_ratio", metrics.within_between_trace_ratio),
            ("class_mean_condition_number", lambda h, y: metrics.class_mean_condition_number(h, y, centred=False)),
        ):
            torch.testing.assert_close(values[layer, name][1], of(z[layer + 2], y))
        if layer:
            torch.testing.assert_close(values[layer, "negativity"][1], metrics.negativity(before[layer + 1]))
    for layer, (weight, following) in enumerate(pairwise(weights[2:]), 1):
        difference = torch.linalg.svdvals(following.T @ following - weight @ weight.T)[0]
        torch.testing.assert_close(values[layer, "imbalance"][1], difference)
        torch.testing.assert_close(values[layer, "balancedness"][1], metrics.balancedness(following, weight))
    assert {layer for layer, name in values if name == "balancedness"} == {1, 2, 3}
    product = torch.linalg.svdvals(weights[5] @ weights[4] @ weights[3])
    torch.testing.assert_close(values[None, "linear_head_condition_number"][1], product[0] / product[-1])
    last = torch.linalg.svdvals(weights[5])
    torch.testing.assert_close(values[None, "last_weight_condition_number"][1], last[0] / last[-1])
    expected = (one_hot(y, 3) - z[-1]).square().sum() / 120
    torch.testing.assert_close(values[None, "loss"][1], expected)


def test_cosines_of_class_means_are_at_most_what_their_condition_number_allows():
    *_, y, values = measured(small())
    network, x, _ = network_and_data(small())
    for layer, z in enumerate(output for i, output in network.features(x) if i >= 2):
        means = [z[1][y == k].mean(0) for k in range(3)]
        pairs = [abs(float(torch.cosine_similarity(means[i], means[j], 0))) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert values[layer, "class_mean_absolute_cosine"][1] == pytest.approx(sum(pairs) / 3)
        allowed = largest_cosine(values[layer, "class_mean_condition_number"][1])
        assert max(pairs) <= allowed
    assert largest_cosine(1.0) == 0
    assert measures.mean_absolute_cosine(torch.eye(3)[None]) == 0
    assert measures.mean_absolute_cosine(torch.zeros(1, 3, 4)).isnan()
    two = torch.tensor([[[3.0, 1.0], [3.0, -1.0]]])  # diag(3, 1) of orthogonal vectors at 45 degrees: the most there is
    assert float(measures.mean_absolute_cosine(two)) == pytest.approx(largest_cosine(3.0))


def test_the_bounds_are_above_what_they_bound_and_the_sharper_below_the_paper_s():
    for seed in range(4):
        *_, values = measured(small(), seeds=(seed,))
        for metric, name in (
            ("within_between_trace_ratio", "trace_ratio"),
            ("class_mean_condition_number", "condition_number"),
        ):
            paper, sharper = values[3, f"{name}_bound"], values[3, f"{name}_sharper_bound"]
            assert values[3, metric] <= sharper
            assert sharper <= paper


def gradients_by_autograd(network, x, y, batch, trial):
    """Of the weights of layers 4 to 6, which are linear."""
    leaves = [network.params[f"{i}.weight"][trial].clone().requires_grad_() for i in range(1, 7)]
    h = x[batch]
    for i, leaf in enumerate(leaves):
        h = (h @ leaf.T).clamp(min=0) if i < 3 else h @ leaf.T
    return torch.autograd.grad((h - one_hot(y, 3)[batch]).square().sum() / (2 * len(batch)), leaves[3:])


def test_the_driving_gradients_are_the_mean_over_an_epoch_s_batches():
    network, x, y, values = measured(small())
    order = torch.randperm(60, generator=generator(0, "imbalance"))
    totals = torch.zeros(2, 8, 8, dtype=torch.float64)
    for batch in order.split(10):
        gradients = gradients_by_autograd(network, x, y, batch, 1)
        for i in range(2):
            totals[i] += (gradients[i + 1].T @ gradients[i + 1] - gradients[i] @ gradients[i].T) / 6
    for layer, total in zip((2, 3), totals, strict=True):
        torch.testing.assert_close(values[layer, "gradient_imbalance"][1], torch.linalg.svdvals(total)[0])


def test_a_probe_leaves_the_network_as_it_was():
    network, x, y, _ = measured(small())
    network.flat_grad.fill_(3.0)
    before = network.flat.clone()
    list(measures.measure(network, x, y, small()))
    assert torch.equal(before, network.flat)
    assert bool((network.flat_grad == 3.0).all())


@pytest.mark.parametrize(("momentum", "low", "high"), [(0.0, 0.75, 1.33), (0.9, 0.2, 1.0)])
def test_training_ends_at_the_plateau_that_the_gradients_predict(momentum, low, high):
    """Within a third without momentum; with it, gradients that undo each other within its memory leave less."""
    rate, decay = 0.3 * (1 - momentum), 0.01
    config = small(
        data__sigma=0.6, train__momentum=momentum, train__learning_rate=rate, train__weight_decay=decay,
        train__lr_milestones=[], train__epochs=400, seeds=[1, 2, 3],
    )  # fmt: skip
    training = SGD(make_trials(config), *load(config.data), device=CPU)
    found, driving = [], []
    while not training.finished:
        training.advance()
        if training.between_epochs and training.epoch >= 250 and training.epoch % 10 == 0:
            values = {(k, n): v for k, n, v in measures.measure(training.network, training.x, training.y, config)}
            found.append(torch.stack([values[layer, "imbalance"] for layer in (2, 3)]))
            driving.append(torch.stack([values[layer, "gradient_imbalance"] for layer in (2, 3)]))
    plateau = imbalance_decay(0, 0.0, torch.stack(driving).mean(0), rate / (1 - momentum), decay).plateau
    ratio = torch.stack(found).mean(0) / plateau
    assert low < ratio.min() <= ratio.max() < high


def test_gram_matrices_are_of_the_last_layers_and_their_upper_triangle():
    config = small()
    network, x, y = network_and_data(config)
    head = head_of(network, x, config)
    rows = list(measures.gram_matrices(head, y, last=2))
    assert {layer for layer, *_ in rows} == {3, 4}
    assert len(rows) == 2 * 6
    means = metrics.class_means(head.outputs[3], y)
    of = {(layer, name): value for layer, name, value in rows}
    torch.testing.assert_close(of[3, "gram_0_2"], (means[:, 0] * means[:, 2]).sum(-1))


def test_a_diverged_trial_has_nan_and_its_neighbour_numbers():
    config = small()
    network, x, y = network_and_data(config)
    network.flat[0] = torch.nan
    for layer, name, value in measures.measure(network, x, y, config):
        assert value[0].isnan(), (layer, name)
        assert not value[1].isnan(), (layer, name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.name": "residual_mlp", "model.linear_layers": 1}, r"model\.name=residual_mlp: has no head"),
        ({"model.linear_layers": 5}, r"model\.depth=6: .*allowed is at least 7"),
        ({"model.bias": True}, r"model\.bias=true: .*allowed is false"),
        ({"train.loss": "cross_entropy"}, r"train\.loss=cross_entropy: .*allowed is mse"),
        ({"data.name": "teacher"}, r"data\.name=teacher, data\.per_class=None: .*allowed are images"),
        ({"data.name": "digits"}, r"data\.name=digits, data\.per_class=None"),
    ],
)
def test_what_the_predictions_are_not_of_is_refused(changes, message):
    check(small())
    with pytest.raises(UserError, match=message):
        check(replace(small(), changes))
