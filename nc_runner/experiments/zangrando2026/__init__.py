"""Zangrando et al. 2026, "Provable emergence of deep neural collapse and low-rank bias"."""
