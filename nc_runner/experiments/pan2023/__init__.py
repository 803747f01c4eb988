"""Pan 2023, "Mathematical guarantees of near-optimal cross-entropy loss through neural collapse"."""
