"""What the statements of Zangrando et al. (2026) need before they can be judged, beside what all experiments share."""

from __future__ import annotations

from nc_runner.experiments import needs
from nc_runner.experiments.base import Need, Results

STATIONARY = 1e-2  # [choice] gradient over the penalty's, the least over slopes at kinks, at most

stationary = needs.stationary("least_relative_gradient", STATIONARY)
converged = (needs.plain_network, needs.decay_times(), stationary)


def fits(results: Results) -> Results:
    """The trials that were trained to the end and fit their data."""
    return results.only(results.trials["status"] == "interpolated")


def interpolation_possible(results: Results) -> Need:
    """Inputs and hidden layers have a dimension a sample, so that there is a network that fits any labels exactly."""
    data, model = results.config.data, results.config.model
    found = f"data.dim={data.dim}, model.width={model.width} for {data.samples} samples"
    met = min(data.dim, model.width) >= data.samples
    return Need("interpolation possible", "data.dim and model.width at least data.samples", found, met)


def noisy_samples(results: Results) -> Need:
    """Several different samples a class: of equal ones the cluster variation is 0 from the start."""
    data = results.config.data
    sigmas = results.trials.get("data.sigma", [data.sigma])
    least = data.samples / data.classes
    met = least >= 2 and max(map(float, sigmas), default=0.0) > 0
    found = f"{least:g} a class, the largest sigma {max(map(float, sigmas), default=0.0):g}"
    return Need("noisy samples", "2 or more a class, sigma above 0", found, met)
