"""Ji et al. 2022, "An unconstrained layer-peeled perspective on neural collapse"."""
