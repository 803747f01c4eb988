"""How far features and a classifier are from a stationary point of the hard-margin problem."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, check_samples, check_weight, largest_norm, vectors_in_float64
from ._nonnegative import nonnegative_minimiser
from .margins import own_and_rival_logits


def kkt_residual(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Relative distance of (W, H) to the KKT conditions of the hard-margin problem, up to scale [choice].

    The problem (Ji et al., 2022, Theorem 3.2) is to minimise ||W||^2/2 + ||H||^2/2 subject to
    g_ij = (w_y - w_j) . h_i >= 1 for every sample i and class j other than its label y. With x = (W, H) and q > 0 its
    least margin, x/sqrt(q) is feasible. It satisfies the KKT conditions iff x = sum_ij lambda_ij grad g_ij with
    lambda >= 0 (stationarity), and lambda_ij = 0 wherever g_ij > q (complementarity).

    The residual is ||x - x*|| / ||x||, where x* is the shortest vector that satisfies the constraints linearised at x:

        grad g_ij . x* >= q + g_ij    (as grad g_ij . x = 2 g_ij, x itself satisfies them).

    One number for both conditions: it is 0 iff x* = x, and the KKT conditions of that convex problem at x are those
    above [derived]. It is the relative length of one step of sequential quadratic programming. A least-squares fit of
    lambda alone is not enough: for two classes on a line, h_i = lambda_i (w_1 - w_2) fits exactly, whatever the
    margins. And where the gradients are linearly dependent, as at the saddle of Ji et al., Example 3.1, some exact fits
    have multipliers on slack constraints and others do not, while x* is unique. Near a KKT point the residual is of
    first order in the distance from it.

    By duality x* = sum_ij lambda_ij grad g_ij for the lambda >= 0 that maximises
    sum_ij lambda_ij (q + g_ij) - ||sum_ij lambda_ij grad g_ij||^2 / 2. Solving for lambda takes products of W and H
    alone: memory N K, and time N K D a step. Residuals down to about 1e-12 are resolved.

    Args:
        features: `[..., N, D]`, H, any floating dtype; computed in float64, one batch entry at a time.
        labels: `[N]`, any integer dtype, values 0..K-1, each there; classes may differ in size.
        weight: `[..., K, D]`, W, one row a class; its batch axes broadcast with those of features.

    Returns:
        `[...]` float64 in [0, 1]. NaN where the least margin is not positive (up to rounding), as no multiple of x is
        then feasible; for K = 1; for a batch entry whose features or weight are not all finite; and where lambda has
        not been found to full accuracy in 20 000 steps.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a row of weight.
    """
    features, labels = check_samples(features, labels)
    weight, features = check_weight(weight, features, labels), vectors_in_float64("features", features)
    batch = torch.broadcast_shapes(weight.shape[:-2], features.shape[:-2])
    weights = weight.expand(*batch, *weight.shape[-2:]).reshape(-1, *weight.shape[-2:])
    samples = features.expand(*batch, *features.shape[-2:]).reshape(-1, *features.shape[-2:])
    residuals = [_residual(w, h, labels) for w, h in zip(weights, samples, strict=True)]
    return torch.tensor(residuals, dtype=torch.float64, device=features.device).reshape(batch)


def _residual(weight: Tensor, features: Tensor, labels: Tensor) -> float:
    """The residual of one classifier and its samples."""
    norm = torch.hypot(torch.linalg.matrix_norm(weight), torch.linalg.matrix_norm(features))
    weight, features = weight / norm, features / norm
    own, rivals = own_and_rival_logits(features, labels, weight)
    gaps = own - rivals
    least = gaps.min()
    if not bool(least > ROUNDING * largest_norm(weight) * largest_norm(features)) or len(weight) == 1:
        return torch.nan
    own_class, gram = labels.unsqueeze(-1), weight @ weight.T

    # lambda is held as [N, K] with 0 for the label. E, with -lambda_ij at j and sum_j lambda_ij at the label, makes
    # sum_ij lambda_ij grad g_ij the pair (E^T H, E W).
    def signed(multipliers: Tensor) -> Tensor:
        return (-multipliers).scatter(1, own_class, multipliers.sum(dim=1, keepdim=True))

    def product(multipliers: Tensor) -> Tensor:
        e = signed(multipliers)
        along = features @ (features.T @ e) + e @ gram
        return along.gather(1, own_class) - along

    norms = torch.linalg.matrix_norm(weight, 2).square() + torch.linalg.matrix_norm(features, 2).square()
    linear = (least + gaps).masked_fill(gaps == torch.inf, 0)
    # lambda -> E multiplies a norm by at most sqrt(K).
    multipliers = nonnegative_minimiser(product, linear, float(len(weight) * norms))
    if multipliers is None:
        return torch.nan
    e = signed(multipliers)
    residual = torch.hypot(
        torch.linalg.matrix_norm(weight - e.T @ features), torch.linalg.matrix_norm(features - e @ weight)
    )
    return float(residual)
