import pytest

from nc_runner.config import Config, Method, TrainConfig
from nc_runner.training.probes import probe_epochs


@pytest.mark.parametrize(("epochs", "probes"), [(1, 5), (3, 12), (300, 12), (300, 1)])
def test_they_end_with_the_last(epochs: int, probes: int) -> None:
    chosen = probe_epochs(Config(train=TrainConfig(epochs=epochs), probes=probes))
    assert max(chosen) == epochs
    assert min(chosen) >= 1
    assert len(chosen) <= probes + 1


def test_a_flow_is_measured_at_every_output() -> None:
    assert probe_epochs(Config(train=TrainConfig(method=Method.flow, epochs=40), probes=3)) == set(range(1, 41))
