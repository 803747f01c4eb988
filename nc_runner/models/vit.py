"""A small vision transformer (Dosovitskiy et al. 2021, "An image is worth 16x16 words"), as a person writes a module.

Nothing else of nc-run knows it: it is trained as ``model=own model._target_=nc_runner.models.vit.VisionTransformer``.

As in the plain baselines of Beyer, Zhai and Kolesnikov (2022, "Better plain ViT baselines for ImageNet-1k") positions
are fixed sines and the head sees the mean over patches, so that a network takes images of any size. Encoder blocks are
pre-norm. There is neither a convolution nor a BatchNorm in it: a LayerNorm sees one patch of one image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VisionTransformer(nn.Module):
    """Images [B, colours, H, W] to logits [B, classes]. Patches, embedding, encoder blocks, LayerNorm, mean, Linear.

    Args:
        patch: pixels along the side of a square patch.
        width: of the embedding, a multiple of 4 and of ``heads``.
        blocks: of the encoder, each attention and an MLP of one hidden layer, four times as wide.

    Raises:
        ValueError: a side of the images, or the width, is no multiple of what it has to be.
    """

    def __init__(
        self, classes: int = 10, colours: int = 1, patch: int = 4, width: int = 64, blocks: int = 5, heads: int = 4
    ) -> None:
        super().__init__()
        if width % 4 or width % heads:
            raise ValueError(f"width {width} is no multiple of 4 and of {heads} heads")
        self.patch = patch
        self.embedding = nn.Linear(colours * patch**2, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, classes] of images x [B, colours, H, W]."""
        patches = patches_of(x, self.patch)
        rows, columns = (side // self.patch for side in x.shape[2:])
        h = self.embedding(patches) + positions(rows, columns, self.embedding.out_features).to(x)
        logits: Tensor = self.head(self.norm(self.blocks(h)).mean(1))
        return logits


class Block(nn.Module):
    """h + attention(norm(h)), and to that its MLP of its norm, of [B, S, width]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, h: Tensor) -> Tensor:
        """[B, S, width] to the same."""
        h = h + self.attention(self.norm1(h))
        out: Tensor = h + self.mlp(self.norm2(h))
        return out

    def attention(self, h: Tensor) -> Tensor:
        """Of each patch the mean of all values, weighted by softmax(query . key / sqrt(size of a head))."""
        q, k, v = self.queries_keys_values(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # Written out: torch's fused attention has other bits every time on a GPU.
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        out: Tensor = self.projection((weights @ v).transpose(1, 2).flatten(2))
        return out


def patches_of(x: Tensor, side: int) -> Tensor:
    """Images [B, C, H, W] as patches, row by row [B, H/side * W/side, C * side^2]."""
    if x.shape[2] % side or x.shape[3] % side:
        raise ValueError(f"images of {x.shape[2]} x {x.shape[3]} pixels have no whole patches of {side} x {side}")
    cut: Tensor = x.unflatten(3, (-1, side)).unflatten(2, (-1, side))
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def positions(rows: int, columns: int, width: int) -> Tensor:
    """Sines and cosines [rows * columns, width] of a patch's row, then of its column, at wavelengths 2 pi to 2e4 pi."""
    frequencies = 1e-4 ** torch.linspace(0, 1, width // 4)
    angles = [torch.arange(count)[:, None] * frequencies for count in (rows, columns)]
    waves = [torch.cat([angle.sin(), angle.cos()], -1) for angle in angles]
    row, column = waves[0][:, None].expand(-1, columns, -1), waves[1].expand(rows, -1, -1)
    return torch.cat([row, column], -1).flatten(0, 1)
