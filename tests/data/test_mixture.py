import math

import pytest
import torch

from nc_runner.config.choices import DataName, Means
from nc_runner.config.schema import DataConfig
from nc_runner.data import gaussian_mixture, load
from nc_runner.metrics import class_means, total_cluster_variation


def test_load_follows_the_config() -> None:
    config = DataConfig(
        name=DataName.gaussian_mixture, samples=12, dim=5, classes=4, sigma=0.3, means=Means.random, input_seed=8
    )
    x, y = load(config)
    assert x.shape == (12, 5)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert y.tolist() == 3 * [0, 1, 2, 3]
    assert torch.equal(x, gaussian_mixture(12, 5, 4, sigma=0.3, means=Means.random, seed=8)[0])
    assert not torch.equal(x, gaussian_mixture(12, 5, 4, sigma=0.3, means=Means.random, seed=9)[0])
    assert not torch.equal(x, gaussian_mixture(12, 5, 4, sigma=0.3, means=Means.orthonormal, seed=8)[0])


@pytest.mark.parametrize("means", Means)
def test_the_variation_is_that_of_the_noise(means: Means) -> None:
    """N TCV / sigma^2 is chi squared with d (N-K) degrees of freedom, of relative deviation sqrt(2 / (d (N-K)))."""
    samples, dim, classes, sigma = 40, 300, 10, 0.7
    deviation = math.sqrt(2 / (dim * (samples - classes)))
    variations = []
    for seed in range(8):
        x, y = gaussian_mixture(samples, dim, classes, sigma=sigma, means=means, seed=seed)
        variations.append(float(total_cluster_variation(x, y, reduction="mean")))
    expected = sigma**2 * dim * (samples - classes) / samples
    assert sum(variations) / 8 == pytest.approx(expected, rel=4 * deviation / math.sqrt(8))
    assert all(abs(variation / expected - 1) < 5 * deviation for variation in variations)


@pytest.mark.parametrize("means", Means)
def test_without_noise_samples_are_their_class_means(means: Means) -> None:
    x, y = gaussian_mixture(20, 6, 5, sigma=0, means=means, seed=3)
    assert float(total_cluster_variation(x, y, reduction="sum")) < 1e-24
    assert len(x.unique(dim=0)) == 5


@pytest.mark.parametrize("dim", [4, 9])
def test_orthonormal_means_are_orthonormal(dim: int) -> None:
    x, y = gaussian_mixture(8, dim, 4, sigma=0, means=Means.orthonormal, seed=3)
    means = class_means(x, y)
    torch.testing.assert_close(means @ means.T, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-6)


def test_orthonormal_means_have_no_preferred_direction() -> None:
    """Without R's signs the first coordinate of the first mean would have one sign."""
    first = [float(gaussian_mixture(2, 2, 2, sigma=0, means=Means.orthonormal, seed=s)[0][0, 0]) for s in range(40)]
    assert 8 < sum(value > 0 for value in first) < 32


def test_random_means_have_mean_square_norm_one() -> None:
    """The mean of K d squares of variance 1/d each, times d: relative deviation sqrt(2 / (K d))."""
    x, _ = gaussian_mixture(3000, 40, 3000, sigma=0, means=Means.random, seed=0)
    assert float(x.square().sum(1).mean()) == pytest.approx(1, rel=4 * math.sqrt(2 / (3000 * 40)))
    x, _ = gaussian_mixture(20, 3, 10, sigma=0, means=Means.random, seed=0)  # more classes than dimensions
    assert len(x.unique(dim=0)) == 10


def test_a_sweep_of_sigma_varies_nothing_else() -> None:
    still, one, two = (gaussian_mixture(12, 5, 4, sigma=s, means=Means.orthonormal, seed=2)[0] for s in (0, 1, 2))
    torch.testing.assert_close(two - still, 2 * (one - still), rtol=1e-5, atol=1e-6)


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    gaussian_mixture(6, 3, 3, sigma=1, means=Means.orthonormal, seed=0)
    assert torch.equal(torch.rand(2), expected)


def test_too_few_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dim is 3; orthonormal means of 4 classes"):
        gaussian_mixture(8, 3, 4, sigma=1, means=Means.orthonormal, seed=0)
