"""Implicit steps of the layer-peeled flow without forming its Jacobian: features are eliminated sample by sample.

An implicit method solves (a I - b J) v = r over and over. Given dW, a sample enters only through its own D unknowns,
whose block a I + b W^T S_i W is the identity plus rank K. So the features are eliminated in closed form, and what is
left is one dense system of the K D weights: for K = 10, D = 64 and 1000 samples 640 unknowns in place of 64,640.

``blockwise`` hands this algebra to scipy's BDF and Radau in place of their dense or sparse one. [derived]
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.integrate import BDF, OdeSolver
from scipy.linalg import lu_factor, lu_solve

from nc_runner.training.gradient_field import Array, Field, Linearised

# A point is a bad guess of the solver's if the log of an entry of (Y - P) dt/du, of order 1 on the flow, is above this.
_BAD_GUESS = 5.0


class Shifted(NamedTuple):
    """The matrix a I - b J; a and b may be complex."""

    a: complex
    b: complex
    at: Linearised


class Jacobian:
    """Stands for J where scipy writes ``c * J`` and ``z * I - J``."""

    def __init__(self, at: Linearised, factor: complex = 1.0) -> None:
        self.at, self.factor = at, factor

    def __rmul__(self, factor: complex) -> Jacobian:
        return Jacobian(self.at, factor * self.factor)


class Identity:
    """Stands for I in the same expressions."""

    __array_ufunc__ = None  # numpy numbers then leave the product to __rmul__

    def __init__(self, factor: complex = 1.0) -> None:
        self.factor = factor

    def __rmul__(self, factor: complex) -> Identity:
        return Identity(factor * self.factor)

    def __sub__(self, jacobian: Jacobian) -> Shifted:
        return Shifted(self.factor, jacobian.factor, jacobian.at)


class Factorised(NamedTuple):
    """A shifted matrix ready to solve with."""

    a: complex
    b: complex
    at: Linearised
    inner: NDArray[Any]  # Q_i = (a I + b S_i W W^T)^-1 S_i [N, K, K]
    schur: tuple[NDArray[Any], NDArray[Any]]  # of the weights, K D unknowns


def factorise(matrix: Shifted) -> Factorised:
    """Eliminate the features.

    With S the curvature of sample i, D_i = a I + b W^T S W its block and Q = (a I + b S W W^T)^-1 S, which is [K, K]:
    D_i^-1 = (I - b W^T Q W)/a, D_i^-1 W^T S = W^T Q, S W D_i^-1 W^T S = (S - a Q)/b.
    """
    at = matrix.at
    features, weight, residual, curvature = at.features, at.weight, at.residual, at.curvature
    (samples, width), classes = features.shape, len(weight)
    a, b = matrix.a + matrix.b * at.shrinking, matrix.b
    inner = np.linalg.solve(a * np.eye(classes) + b * (curvature @ (weight @ weight.T)), curvature)

    pairs = (features[:, :, None] * features[:, None, :]).reshape(samples, -1)
    schur = a * b * _sum(inner, pairs).reshape(classes, classes, width, width).transpose(0, 2, 1, 3)
    schur -= b * b / a * np.einsum("kl,ab->kalb", residual.T @ residual, np.eye(width))
    squared = residual[:, :, None] * residual[:, None, :]
    quartic = _sum(squared, inner.reshape(samples, -1)).reshape((classes,) * 4)
    schur += b**3 / a * np.einsum("klmn,ma,nb->kalb", quartic, weight, weight, optimize=True)
    cubic = _sum(residual[:, :, None, None] * inner[:, None], features).reshape(classes, classes, classes, width)
    mixed = np.einsum("ma,kmlb->kalb", weight, cubic)
    schur += b * b * (mixed + mixed.transpose(2, 3, 0, 1))
    schur = schur.reshape(classes * width, -1)
    schur[np.diag_indices_from(schur)] += a
    return Factorised(a, b, at, inner, lu_factor(schur, overwrite_a=True, check_finite=False))


def _sum(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Over the samples, of every product of an entry of ``left`` and one of ``right``."""
    samples = len(left)
    return np.asarray(left.reshape(samples, -1).T @ right.reshape(samples, -1))


def solve(factorised: Factorised, right: NDArray[Any]) -> NDArray[Any]:
    """v of (a I - b J) v = right."""
    a, b, at, inner, schur = factorised
    features, weight, residual, curvature = at.features, at.weight, at.residual, at.curvature
    (samples, width), classes = features.shape, len(weight)

    def by_sample(matrices: NDArray[Any], vectors: NDArray[Any]) -> NDArray[Any]:
        return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])

    def own(vectors: NDArray[Any]) -> NDArray[Any]:
        """D_i^-1 of each sample's vector."""
        return np.asarray((vectors - b * by_sample(inner, vectors @ weight.T) @ weight) / a)

    def to_weight(vectors: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(-b * (residual.T @ vectors - by_sample(curvature, vectors @ weight.T).T @ features))

    def to_features(vectors: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(-b * (residual @ vectors - by_sample(curvature, features @ vectors.T) @ weight))

    of_features, of_weight = np.split(right.reshape(-1, width), [samples])
    reached = own(of_features)
    moved = lu_solve(schur, (of_weight - to_weight(reached)).ravel(), check_finite=False).reshape(classes, width)
    return np.concatenate([reached - own(to_features(moved)), moved]).ravel()


def blockwise(solver: type[OdeSolver], field: Field, start: Array, end: float, **tolerances: float) -> OdeSolver:
    """scipy's BDF or Radau on ``field`` from u = 0 to ``end``, with the algebra of this module.

    Where the solver asks for a Jacobian at a bad guess, it gets that of the last accepted point: scipy keeps a Jacobian
    while it makes the step smaller, and with one of size e^30 no step is small enough. That happens where a pair of
    classes comes into play: the logits are so large that its share of the gradient grows from nothing to all in a step.
    """
    made = solver(field, 0.0, start, end, jac=lambda u, y: scipy.sparse.identity(len(y), format="csc"), **tolerances)

    def jacobian(u: float, y: Array, velocity: object = None) -> Jacobian:
        at = field.linearise(u, y)
        return Jacobian(field.linearise(made.t, made.y) if at.overshoot > _BAD_GUESS else at)

    # scipy has no public way to bring one's own linear algebra; tests compare with its dense one.
    made.jac, made.J, made.I = jacobian, jacobian(0.0, start), Identity()
    made.lu, made.solve_lu = factorise, solve
    if isinstance(made, BDF):
        made.D[2:] = 0  # scipy leaves it uninitialised, and computes with it before it is set
    return made
