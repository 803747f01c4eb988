"""Measures of neural collapse of a stream of features, in batches, with the values of ``nc_runner.metrics``."""

from .accumulator import Accumulator
from .second_pass import SecondPass

__all__ = ["Accumulator", "SecondPass"]
