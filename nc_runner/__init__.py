"""nc-run: figures of papers on neural collapse, each from one command.

``nc_runner.metrics`` and ``nc_runner.theory`` are useful on their own: plain tensors in, tensors out.
Importing this package imports neither torch nor Hydra.
"""

__version__ = "0.2.0"
