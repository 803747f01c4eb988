"""The summed cross-entropy of the layer-peeled model on a sphere ||W||^2 + ||H||^2 = rho^2: gradient and Hessian.

With g the Euclidean gradient, B the Euclidean Hessian, n = x/rho and mu = (x . g)/rho^2, the Riemannian gradient is
g - mu x, and the Riemannian Hessian at a critical point is (I - n n^T)(B - mu I)(I - n n^T). [derived]
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from nc_runner.training.gradient_field import Array, Field, dense_jacobian


def riemannian_gradient(field: Field, x: Array) -> Array:
    """g - (x . g) x / ||x||^2 [P]."""
    gradient = -field.velocity(x)
    return gradient - (x @ gradient) / (x @ x) * x


def riemannian_hessian_eigenvalues(field: Field, x: Array) -> Array:
    """Eigenvalues of the Riemannian Hessian at a critical point, ascending [P - 1], without the radial direction."""
    gradient = -field.velocity(x)
    shifted = hessian(field, x)
    shifted[np.diag_indices_from(shifted)] -= (x @ gradient) / (x @ x)
    tangent = np.linalg.svd(x[None, :])[2][1:]
    return np.asarray(np.linalg.eigvalsh(tangent @ shifted @ tangent.T))


def hessian(field: Field, x: Array) -> Array:
    """Euclidean Hessian of the loss [P, P]; the clock of ``field`` has to be t."""
    return -dense_jacobian(field.linearise(0.0, x)._replace(shrinking=0.0))


def nearest_critical_point(field: Field, start: Array) -> Array:
    """Where a least-squares descent of the Riemannian gradient from ``start`` ends on its sphere.

    It goes to saddles of any index as readily as to minima. If the gradient where it ends is not 0, it has found no
    critical point.
    """
    radius_squared = float(start @ start)

    def equations(x: Array) -> Array:
        gradient = -field.velocity(x)
        return np.append(gradient - (x @ gradient) / radius_squared * x, x @ x - radius_squared)

    def derivative(x: Array) -> Array:
        gradient, curvature = -field.velocity(x), hessian(field, x)
        multiplier = (x @ gradient) / radius_squared
        tangential = curvature - np.outer(x, gradient + curvature @ x) / radius_squared - multiplier * np.eye(len(x))
        return np.vstack([tangential, 2 * x])

    found = least_squares(equations, start, derivative, method="trf", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000)
    return np.asarray(found.x * np.sqrt(radius_squared / (found.x @ found.x)))
