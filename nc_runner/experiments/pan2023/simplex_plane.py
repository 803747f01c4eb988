"""Last-layer features on the plane of the classifiers, laid out on a regular simplex.

A picture of collapse is easily a picture of its own projection, so the convention matters:

- The plane is the row space of the centred output weights (each row less the mean row), K - 1 dimensions of the
  feature space. No feature enters its choice, so it cannot be chosen to make features look collapsed.
- Within the plane only a rotation is left free. It is the one that takes the centred rows nearest to the vertices of
  one fixed regular simplex (orthogonal Procrustes). It is a function of the weights of the moment alone and varies
  smoothly with them, so frames neither spin nor jump, and turning features and weights together changes nothing.
- Features are centred by the mean of the class means and divided, all alike, by the mean length of the centred class
  means *in the whole feature space*. One number a frame, so the spread of a class beside the distance between classes
  is what it is; a class mean with a part outside the plane falls short of its vertex.
- Classifier rows are centred and divided by their mean length.

What the picture leaves out, distances out of the plane, is told by ``variance_fraction``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nc_runner.metrics.means import mean_by_class


@dataclass(frozen=True)
class SimplexPlane:
    """What a frame shows, float64; NaN in a trial whose plane is undefined.

    Attributes:
        points: features [T, N, K-1].
        means: class means [T, K, K-1].
        rows: classifier rows [T, K, K-1].
        variance_fraction: share [T] of the features' total variance that lies in the plane.
    """

    points: Tensor
    means: Tensor
    rows: Tensor
    variance_fraction: Tensor


def simplex(classes: int) -> Tensor:
    """Vertices [K, K-1] of the regular simplex with circumradius 1, K = 3 or 4.

    Three: a triangle with a vertex on top. Four: every other corner of a cube, so that the first two axes are the
    plane on which a tetrahedron's vertices are farthest apart, the corners of a square.
    """
    if classes == 3:
        angles = torch.tensor([math.pi / 2 + 2 * math.pi * k / 3 for k in range(3)], dtype=torch.float64, device="cpu")
        return torch.stack([angles.cos(), angles.sin()], dim=-1)
    if classes != 4:
        raise ValueError(f"a simplex of {classes} vertices is not drawn here, only of 3 or 4")
    corners = [[-1, 1, -1], [1, 1, 1], [1, -1, -1], [-1, -1, 1]]
    return torch.tensor(corners, dtype=torch.float64, device="cpu") / math.sqrt(3)


def plane_basis(weight: Tensor) -> Tensor:
    """Orthonormal basis [T, D, K-1] of the centred rows of weight [T, K, D], turned towards the simplex.

    The Q with orthonormal columns that maximises <W Q, V>, V the vertices: the polar factor of W^T V (Schonemann,
    1966). As V spans all vectors that sum to zero, as the columns of the centred W do, it spans the row space of W.
    NaN where the centred rows have rank below K - 1.
    """
    centred = weight.double() - weight.double().mean(-2, keepdim=True)
    towards = centred.mT @ simplex(weight.shape[-2]).to(weight.device)
    finite = towards.isfinite().all(-1).all(-1)
    left, singular, right = torch.linalg.svd(towards.masked_fill(~finite[:, None, None], 0), full_matrices=False)
    defined = finite & (singular[:, -1] > 1e-9 * singular[:, 0])
    basis: Tensor = left @ right
    return basis.masked_fill(~defined[:, None, None], torch.nan)


def simplex_plane(features: Tensor, labels: Tensor, weight: Tensor) -> SimplexPlane:
    """Project features [T, N, D] of labels [N] and output weights [T, K, D]; the convention is at the module's head."""
    features, weight = features.double(), weight.double()
    basis = plane_basis(weight)
    means = mean_by_class(features, labels, weight.shape[-2])
    centre = means.mean(-2, keepdim=True)
    scale = torch.linalg.vector_norm(means - centre, dim=-1).mean(-1)[:, None, None]
    rows = weight - weight.mean(-2, keepdim=True)
    deviations = features - features.mean(-2, keepdim=True)
    in_plane = (deviations @ basis).square().sum((-2, -1))
    return SimplexPlane(
        points=(features - centre) @ basis / scale,
        means=(means - centre) @ basis / scale,
        rows=rows @ basis / torch.linalg.vector_norm(rows, dim=-1).mean(-1)[:, None, None],
        variance_fraction=in_plane / deviations.square().sum((-2, -1)),
    )
