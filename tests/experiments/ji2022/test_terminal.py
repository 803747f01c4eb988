"""The clock of gradient flow that a network's steps keep, and slopes against it."""

import dataclasses

import numpy as np
import pytest
from experiments.ji2022.unregularized_tables import CONFIG, results

from nc_runner.experiments.ji2022.terminal import by_time, slopes


def test_the_clock_of_gradient_flow_and_slopes_against_it() -> None:
    table = by_time(dataclasses.replace(results(seeds=2, end=200), config=CONFIG))
    rate = 0.07 / 0.7 * 8  # 8 batches an epoch, the last of them smaller
    np.testing.assert_allclose(np.exp(table["log_t"]), rate * table["epoch"])
    table = table.assign(m=3 * table["log_t"].clip(lower=0.1) ** -0.6)
    np.testing.assert_allclose(slopes(table, "m", "log_t"), [-0.6] * 6)
    np.testing.assert_allclose(slopes(table, "self_duality_distance", "log_epoch"), [-1.0] * 6)


def test_the_clock_counts_smaller_steps_as_less_time() -> None:
    of = results(seeds=2, end=200)
    train = dataclasses.replace(CONFIG.train, lr_milestones=[0.5], lr_gamma=0.1)
    table = by_time(dataclasses.replace(of, config=dataclasses.replace(CONFIG, train=train)))
    time = np.exp(table.set_index("epoch")["log_t"].groupby("epoch").first())
    assert time[200] == pytest.approx(0.8 * (100 + 0.1 * 100))
    # A column is a key on which merged runs differ.
    of.trials["train.batch_size"] = [None, 50.0, 50.0, 50.0, 50.0, 50.0]
    table = by_time(dataclasses.replace(of, config=CONFIG))
    last = np.exp(table[table["epoch"] == 200].set_index("trial")["log_t"])
    assert last["resnet18-mnist-0"] == pytest.approx(0.1 * 200)
    assert last["resnet18-mnist-1"] == pytest.approx(0.1 * 20 * 200)
