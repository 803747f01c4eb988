"""Features in clusters, a weight, and the simplex; means and covariances of them by loops in numpy."""

from __future__ import annotations

import numpy as np
import torch

CLASSES, WIDTH, SAMPLES = 4, 6, 50
RNG = np.random.default_rng(2)
LABELS = np.concatenate([np.arange(CLASSES), RNG.integers(0, CLASSES, SAMPLES - CLASSES)])
CENTRES = RNG.standard_normal((CLASSES, WIDTH)) + 0.5
FEATURES = CENTRES[LABELS] + 0.4 * RNG.standard_normal((3, SAMPLES, WIDTH))
WEIGHT = CENTRES + RNG.standard_normal((3, CLASSES, WIDTH))
H, Y, W = map(torch.from_numpy, (FEATURES, LABELS, WEIGHT))
SIMPLEX = torch.eye(CLASSES, WIDTH, dtype=torch.float64)
SIMPLEX = SIMPLEX - SIMPLEX.mean(dim=0)


def means_of(features: np.ndarray) -> np.ndarray:
    return np.stack([features[c == LABELS].mean(0) for c in range(CLASSES)])


def centred(vectors: np.ndarray) -> np.ndarray:
    return vectors - vectors.mean(0)


def covariances(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S_W by sample, S_B by class."""
    means, within, between = means_of(features), np.zeros((WIDTH, WIDTH)), np.zeros((WIDTH, WIDTH))
    for h, y in zip(features, LABELS, strict=True):
        within += np.outer(h - means[y], h - means[y]) / SAMPLES
    for m in centred(means):
        between += np.outer(m, m) / CLASSES
    return within, between
