"""Training steps as CUDA graphs: many steps are one launch, so the GPU never waits for Python."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UP_STEPS = 3  # torch's documentation asks for a few, for workspaces and autotuned kernels to settle
_capturing = threading.Lock()  # stacks train in threads, and a capture bears nothing else that allocates


class CapturedSteps:
    """Calls ``update(batch)`` for one minibatch after the other, captured once for each number of rows.

    Args:
        update: reads the batch and changes, in place, only tensors that ``state()`` names and scratch tensors.
        state: the tensors that warming up must leave as they were.
        batch_size: rows of a minibatch; the last may have fewer.
    """

    def __init__(
        self, update: Callable[[Tensor], None], state: Callable[[], dict[str, Tensor]], batch_size: int
    ) -> None:
        self.update, self.state, self.batch_size = update, state, batch_size
        self.captured: dict[int, tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def __call__(self, order: Tensor) -> None:
        """Steps over the rows of ``order`` [R, T], a minibatch each."""
        if len(order) not in self.captured:
            with _capturing:
                self.captured[len(order)] = self._capture(order)
        graph, static_order = self.captured[len(order)]
        static_order.copy_(order)
        graph.replay()

    def _capture(self, order: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        static_order = order.clone(memory_format=torch.contiguous_format)
        batches = static_order.split(self.batch_size)
        before = {name: tensor.clone() for name, tensor in self.state().items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_STEPS):
                for batch in {len(batch): batch for batch in batches}.values():
                    self.update(batch)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            for batch in batches:
                self.update(batch)
        for name, tensor in self.state().items():
            tensor.copy_(before[name])
        return graph, static_order
