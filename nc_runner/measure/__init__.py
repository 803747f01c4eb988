"""Measures of neural collapse of anyone's features and networks, with the values of ``nc_runner.metrics``."""

from .accumulator import Accumulator
from .collect import Collected, collect
from .measured import Measured
from .second_pass import SecondPass

__all__ = ["Accumulator", "Collected", "Measured", "SecondPass", "collect"]
