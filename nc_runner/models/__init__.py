"""Stacks of networks: trials of equal shape as one program."""

from nc_runner.models.mlp import MLP

__all__ = ["MLP"]
