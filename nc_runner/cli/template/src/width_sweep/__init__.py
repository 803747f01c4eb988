"""width_sweep, an experiment of nc-run: what to run is in conf/, what to measure, draw and claim in experiment.py."""
