"""The story of one run, from its plan to its verdicts."""
