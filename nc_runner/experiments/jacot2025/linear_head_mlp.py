"""Jacot et al. 2025, Figure 4: a linear head after a multilayer perceptron on MNIST."""

from nc_runner.experiments.jacot2025.over_training import followed_over_training

EXPERIMENT = followed_over_training("4", network="an MLP", gram_layers=4, cost="~3 h")
