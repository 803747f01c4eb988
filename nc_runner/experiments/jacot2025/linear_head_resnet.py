"""Jacot et al. 2025, Figure 1: a linear head after ResNet20 on CIFAR-10."""

from nc_runner.experiments.jacot2025.over_training import followed_over_training

EXPERIMENT = followed_over_training("1", network="ResNet20", gram_layers=3, cost="~2 weeks")
