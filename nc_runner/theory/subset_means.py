"""How far the mean of a part can be from the mean of the whole when Jensen's inequality is nearly an equality."""

from torch import Tensor

from ._inputs import in_float64


def subset_mean_deviation_bound(eps: float | Tensor, delta: float | Tensor, curvature: float | Tensor) -> Tensor:
    """|mean_S - mean| <= sqrt(2 eps (1-delta) / (Lam delta)) (Pan, thesis, 2023, Lemma 2.4.1) [paper].

    For numbers whose Jensen gap mean f(x) - f(mean x) is at most eps, f'' >= Lam between them, and S any fraction
    delta of them. Equality: f quadratic, S and its complement each constant.

    Args:
        eps: Jensen gap, at least 0.
        delta: fraction of the numbers in S, in (0, 1].
        curvature: Lam > 0.

    Returns:
        The bound, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    eps = in_float64("eps", eps, at_least=0)
    delta = in_float64("delta", delta, above=0, at_most=1)
    return (2 * eps * (1 - delta) / (in_float64("curvature", curvature, above=0) * delta)).sqrt()


def subset_mean_excess_bound(eps: float | Tensor, delta: float | Tensor, mean: float | Tensor) -> Tensor:
    """mean_S - mean <= sqrt(2 eps / (delta e^mean)) (Pan, thesis, 2023, Lemma 2.4.3) [paper].

    For numbers whose Jensen gap under the exponential, mean e^x - e^(mean x), is at most eps, and S any fraction delta
    of them. Only the excess is bounded so: a part far below the mean costs little. Nearly an equality where S is a
    small fraction with a small excess, the rest constant.

    Args:
        eps: Jensen gap, at least 0.
        delta: fraction of the numbers in S, in (0, 1].
        mean: mean of all the numbers.

    Returns:
        The bound, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    eps = in_float64("eps", eps, at_least=0)
    delta = in_float64("delta", delta, above=0, at_most=1)
    # The root is taken apart so that e^mean underflows only where the bound itself overflows.
    return (2 * eps / delta).sqrt() * (-in_float64("mean", mean) / 2).exp()
