"""A training step as a CUDA graph: the whole step is one launch, so the GPU never waits for Python."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UP_STEPS = 3  # torch's documentation asks for a few, for workspaces and autotuned kernels to settle


class CapturedUpdate:
    """Calls ``update(batch)``, captured once for each batch shape.

    Args:
        update: reads the batch and changes, in place, only tensors that ``state()`` names and scratch tensors.
        state: the tensors that warming up must leave as they were.
    """

    def __init__(self, update: Callable[[Tensor], None], state: Callable[[], dict[str, Tensor]]) -> None:
        self.update, self.state = update, state
        self.captured: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Tensor]] = {}

    def __call__(self, batch: Tensor) -> None:
        shape = tuple(batch.shape)
        if shape not in self.captured:
            self.captured[shape] = self._capture(batch)
        graph, static_batch = self.captured[shape]
        static_batch.copy_(batch)
        graph.replay()

    def _capture(self, batch: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        static_batch = batch.clone(memory_format=torch.contiguous_format)
        before = {name: tensor.clone() for name, tensor in self.state().items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_STEPS):
                self.update(static_batch)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.update(static_batch)
        for name, tensor in self.state().items():
            tensor.copy_(before[name])
        return graph, static_batch
