"""The vision transformer against loops in NumPy, its size by hand, and as a network of a person's own."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nc_runner.config.choices import DataName, ModelName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials
from nc_runner.errors import UserError
from nc_runner.models.own import head_of, made
from nc_runner.models.vit import VisionTransformer
from nc_runner.training.sgd import SGD

SMALL = {"classes": 3, "colours": 2, "patch": 2, "width": 8, "blocks": 2, "heads": 2}


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def own(**args: int) -> ModelConfig:
    target = "nc_runner.models.vit.VisionTransformer"
    return ModelConfig(name=ModelName.own, depth=1, norm=Norm.none, _target_=target, args=dict(args))


def moved(module: nn.Module) -> nn.Module:
    """Every parameter away from where it starts, so that no LayerNorm is the plain one."""
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=random))
    return module.double()


class Loops:
    """The same network of one image, by loops over patches, heads and numbers."""

    def __init__(self, module: nn.Module, heads: int, patch: int) -> None:
        self.of = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
        self.heads, self.patch = heads, patch

    def linear(self, name: str, h: np.ndarray) -> np.ndarray:
        return np.array([self.of[f"{name}.weight"] @ row + self.of[f"{name}.bias"] for row in h])

    def norm(self, name: str, h: np.ndarray) -> np.ndarray:
        rows = [(row - row.mean()) / math.sqrt(((row - row.mean()) ** 2).mean() + 1e-5) for row in h]
        return np.array([self.of[f"{name}.weight"] * row + self.of[f"{name}.bias"] for row in rows])

    def attention(self, name: str, h: np.ndarray) -> np.ndarray:
        width = h.shape[1]
        size, found = width // self.heads, np.zeros_like(h)
        q, k, v = np.split(self.linear(f"{name}.queries_keys_values", h), 3, axis=1)
        for head in range(self.heads):
            own = slice(head * size, (head + 1) * size)
            for i in range(len(h)):
                weights = [math.exp(float(q[i, own] @ k[j, own]) / math.sqrt(size)) for j in range(len(h))]
                for j in range(len(h)):
                    found[i, own] += weights[j] / sum(weights) * v[j, own]
        return self.linear(f"{name}.projection", found)

    def logits(self, image: np.ndarray, blocks: int) -> np.ndarray:
        """Patches row by row, of the two halves of the width the first by the row and the second by the column."""
        patches, where = [], []
        for top in range(0, image.shape[1], self.patch):
            for left in range(0, image.shape[2], self.patch):
                patches.append(image[:, top : top + self.patch, left : left + self.patch].reshape(-1))
                where.append((top // self.patch, left // self.patch))
        h = self.linear("embedding", np.array(patches))
        quarter = h.shape[1] // 4
        for row, places in zip(h, where, strict=True):
            for half, place in enumerate(places):
                for i in range(quarter):
                    angle = place * 10_000.0 ** (-i / (quarter - 1))
                    row[2 * half * quarter + i] += math.sin(angle)
                    row[(2 * half + 1) * quarter + i] += math.cos(angle)
        for block in range(blocks):
            name = f"blocks.{block}"
            h = h + self.attention(name, self.norm(f"{name}.norm1", h))
            hidden = self.linear(f"{name}.mlp.0", self.norm(f"{name}.norm2", h))
            h = h + self.linear(
                f"{name}.mlp.2", np.vectorize(lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2)(hidden)
            )
        return self.linear("head", self.norm("norm", h).mean(0)[None])[0]


def test_logits_are_those_of_loops_over_patches_heads_and_numbers() -> None:
    module = moved(VisionTransformer(**SMALL))
    x = images(3, 2, 6, 4).double()
    with torch.no_grad():
        logits = module(x)
    loops = Loops(module, heads=2, patch=2)
    for image, expected in zip(x, logits, strict=True):
        np.testing.assert_allclose(loops.logits(image.numpy(), blocks=2), expected.numpy(), rtol=1e-6, atol=1e-6)


def test_its_size_by_hand_is_about_that_of_resnet20() -> None:
    block = 2 * 2 * 64 + (64 + 1) * 3 * 64 + (64 + 1) * 64 + (64 + 1) * 256 + (256 + 1) * 64
    expected = (16 + 1) * 64 + 5 * block + 2 * 64 + (64 + 1) * 10
    module = VisionTransformer()
    assert sum(tensor.numel() for tensor in module.parameters()) == expected == 251_786
    kinds = {type(part) for part in module.modules()}
    assert not any(issubclass(kind, nn.modules.conv._ConvNd | nn.modules.batchnorm._BatchNorm) for kind in kinds)


def training(seed: int) -> SGD:
    config = Config(
        data=DataConfig(name=DataName.digits, samples=60, classes=3),
        model=own(classes=3, patch=2, width=8, blocks=1, heads=2),
        train=TrainConfig(epochs=30, batch_size=20, learning_rate=0.05, lr_milestones=[]),
        seeds=[seed],
    )
    labels = torch.arange(60) % 3
    x = images(60, 1, 4, 4) + labels[:, None, None, None]
    return SGD(make_trials(config), x, labels, device=torch.device("cpu"))


def test_as_a_network_of_one_s_own_it_starts_from_its_seed_and_learns() -> None:
    first, again, other = (training(seed) for seed in (3, 3, 4))
    assert torch.equal(first.network.flat, again.network.flat)
    assert not torch.equal(first.network.flat, other.network.flat)
    assert first.network.output_layer()[0].shape == (1, 3, 8)
    losses = []
    while not first.finished:
        first.advance()
        if first.between_epochs:
            losses.append(first.epoch_loss().item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("args", "side", "said"),
    [
        ({}, 10, "images of 10 x 10 pixels have no whole patches of 4 x 4"),
        ({"width": 12, "heads": 5}, 8, "width 12 is no multiple of 4 and of 5 heads"),
        ({"width": 6, "heads": 2}, 8, "width 6 is no multiple of 4 and of 2 heads"),
    ],
)
def test_what_does_not_go_is_one_sentence(args: dict[str, int], side: int, said: str) -> None:
    of = own(**args)
    with pytest.raises(UserError, match=said):
        head_of(made(of, 0), images(2, 1, side, side), 10, of)
