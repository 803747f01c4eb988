import pytest

from nc_runner.config.choices import Method, Spacing
from nc_runner.config.schema import Config, TrainConfig
from nc_runner.training.probes import probe_epochs


@pytest.mark.parametrize(("epochs", "probes"), [(1, 5), (3, 12), (300, 12), (300, 1)])
def test_they_end_with_the_last(epochs: int, probes: int) -> None:
    chosen = probe_epochs(Config(train=TrainConfig(epochs=epochs), probes=probes))
    assert max(chosen) == epochs
    assert min(chosen) >= 1
    assert len(chosen) <= probes + 1


def test_a_flow_is_measured_at_every_output() -> None:
    assert probe_epochs(Config(train=TrainConfig(method=Method.flow, epochs=40), probes=3)) == set(range(1, 41))


def test_they_are_log_spaced_or_equally_far_apart() -> None:
    train = TrainConfig(epochs=1000)
    assert probe_epochs(Config(train=train, probes=4)) == {1, 10, 100, 1000}
    assert probe_epochs(Config(train=train, probes=4, probe_spacing=Spacing.linear)) == {1, 334, 667, 1000}
