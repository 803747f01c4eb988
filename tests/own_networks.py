"""Networks as somebody else would write them, for vectors of 5 or grey images of 4 x 5, three classes."""

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """As an MLP of ours without BatchNorm."""

    def __init__(self, width: int = 7) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class Mixed(nn.Module):
    """Convolution, BatchNorm, dropout, a frozen layer, a number of its own, and a change of its input in place."""

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.body = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(dropout)
        )
        self.frozen = nn.Linear(24, 6).requires_grad_(False)
        self.unused = nn.Linear(2, 2)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.scale * self.frozen(self.body(x))))


class Softmax(Plain):
    """Ends in no Linear layer."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).softmax(-1)


class Tied(nn.Module):
    """The weight of its last layer is that of another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 5), nn.Linear(5, 5)
        self.last.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class Two(Plain):
    """Gives two tensors."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x), x


def nothing() -> dict[str, int]:
    return {}
