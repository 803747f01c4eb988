"""Networks of other packages, small and with random weights; a test that needs one skips where its package is not."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

CLASSES = 3
HELD: list[torch.library.Library] = []  # so that what is defined stays so


def torchvision() -> ModuleType:
    """torchvision, also beside a torch for which its compiled operators are not made: its networks need none of them.

    Importing it then fails for want of the names of two alone; so they are given.
    """
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError:
        pytest.skip("torchvision is not installed")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        HELD.append(torch.library.Library("torchvision", "FRAGMENT"))
        for name in ("nms", "qnms"):
            HELD[-1].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module("torchvision")


def transformers() -> Any:
    """transformers, which looks for torchvision itself."""
    found = pytest.importorskip("transformers", reason="transformers is not installed")
    torchvision()
    return found


def lightning() -> Any:
    """Lightning's trainer, whose metrics look for torchvision too."""
    pytest.importorskip("lightning_utilities", reason="lightning is not installed")  # which itself imports torchvision
    torchvision()
    return importlib.import_module("lightning.pytorch")


def resnet() -> nn.Module:
    """torchvision's ResNet of four blocks, with statistics that are not those of its start."""
    resnet = torchvision().models.resnet
    torch.manual_seed(0)
    model: nn.Module = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=CLASSES)
    with torch.no_grad():
        model(torch.randn(16, 3, 16, 16) + 1)
    return model
