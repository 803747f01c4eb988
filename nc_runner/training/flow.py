"""Gradient flow of unconstrained layer-peeled models by a stiff solver, to times that no descent reaches.

An epoch is an output time; they are evenly spaced in log(1 + log(1 + t)). Trials are integrated one by one, each with
its own steps, in float64 on the CPU. Nothing in it is random, so an interrupted flow is integrated again to where it
stood, which gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.integrate import BDF, LSODA, OdeSolver, Radau
from torch import Tensor

from nc_runner.config.choices import Clock, Reduction, Solver
from nc_runner.config.schema import Config
from nc_runner.config.trials import Trial
from nc_runner.training.block_solver import blockwise
from nc_runner.training.gradient_field import Array, Field, clock_at, dense_jacobian, time_at
from nc_runner.training.peeled import PeeledTraining

LARGEST_DENSE = 1500  # unknowns up to which LSODA with a dense Jacobian is as fast as BDF by blocks


def make_field(config: Config, labels: Tensor) -> Field:
    """The field a config describes."""
    scale = 1.0 if config.flow.reduction is Reduction.sum else 1 / len(labels)
    return Field(labels.numpy(), config.data.classes, config.model.width, scale, config.flow.clock)


def make_solver(field: Field, start: Array, config: Config) -> OdeSolver:
    """A solver at t = 0 that will go to ``flow.log_time``."""
    flow = config.flow
    end, tolerances = clock_at(flow.clock, flow.log_time), {"rtol": flow.rtol, "atol": flow.atol}
    if flow.solver is Solver.LSODA or (flow.solver is Solver.auto and field.size <= LARGEST_DENSE):
        return LSODA(field, 0.0, start, end, jac=lambda u, y: dense_jacobian(field.linearise(u, y)), **tolerances)
    return blockwise(Radau if flow.solver is Solver.Radau else BDF, field, start, end, **tolerances)


class GradientFlow(PeeledTraining):
    """A stack in gradient flow."""

    def __init__(self, trials: Sequence[Trial], x: Tensor, y: Tensor) -> None:
        super().__init__(trials, x, y)
        self.network.log1p_time.zero_()
        self.field = make_field(self.config, y)
        self.solvers = [make_solver(self.field, flat.numpy().copy(), self.config) for flat in self.network.flat]
        last = self.config.flow.log_time
        self.outputs = np.expm1(np.linspace(0, math.log1p(last), self.config.train.epochs + 1))
        self.outputs[-1] = last

    def state(self) -> dict[str, Tensor]:
        """Nothing: ``step`` says it all."""
        return {}

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Integrate to where the flow stood."""
        while self.step < step:
            self.advance()

    def advance(self) -> None:
        """To the next output time.

        Raises:
            RuntimeError: the solver gave up.
        """
        self.step += 1
        log1p_time = float(self.outputs[self.step])
        u = clock_at(self.config.flow.clock, log1p_time)
        for flat, solver in zip(self.network.flat, self.solvers, strict=True):
            flat.copy_(torch.from_numpy(self.field.scale(u) * integrate_to(solver, u, self.config.flow.clock)))
        self.network.log1p_time.fill_(log1p_time)


def integrate_to(solver: OdeSolver, u: float, clock: Clock) -> Array:
    """The solver's y at the clock's reading u, which at most its last step has passed.

    Raises:
        RuntimeError: the solver gave up.
    """
    while solver.t < u:
        message = solver.step()
        if solver.status == "failed":
            raise RuntimeError(
                f"the solver gave up at log(1 + t) = {time_at(clock, solver.t)[0]:.6g} ({message}); another "
                "flow.solver, or a larger flow.rtol, may get past it"
            )
    return np.asarray(solver.y if solver.t == u else solver.dense_output()(u))
