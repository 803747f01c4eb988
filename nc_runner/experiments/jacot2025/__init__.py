"""Jacot et al. 2025, "Wide neural networks trained with weight decay provably exhibit neural collapse"."""
