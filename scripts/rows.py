"""The rows of the README's table: an experiment, and what is chosen of it, in the order of the table."""

from __future__ import annotations

import re

# An experiment at scale=cpu takes a GPU, or more than two hours on two cores, at the paper's sizes.
ROWS = (
    "bn_wd_sweep",
    "bn_wd_sweep seeds=5",  # with three, three more claims cannot be told from noise
    "bn_wd_converged",
    "decay_times",
    "conic_hull",
    "depth_minimization",
    "depth_minimization data=conic_hull",
    "depth_collapse",
    "dataset_complexity",
    "dataset_complexity train.epochs=680",  # ten decay times at its smallest weight decay
    "near_optimal",
    "pan_lemmas",
    "collapse_movie",
    "ulpm_flow",
    "ulpm_settings",
    "ulpm_saddle",
    "ufm_weight_decay",
    "unregularized_collapse scale=cpu",
    "rank_tcv",
    "singular_values",
    "random_inits",
    "benign_landscape",
    "resnet_norms",
    "gram_blocks",
    "batch_gradient_rank",
    "zero_tcv",
    "linear_head_resnet scale=cpu",
    "linear_head_depth scale=cpu",
    "linear_head_depth_resnet scale=cpu",
    "linear_head_depth_resnet data=mnist scale=cpu",
    "nonlinear_depth scale=cpu",
    "linear_head_mlp scale=cpu",
    "wide_first_layer",
    "bounded_conditioning",
    "vit_resnet scale=cpu",
)


def experiment_of(row: str) -> str:
    """The name of a row's experiment."""
    return row.split()[0]


def words_of(row: str) -> list[str]:
    """The words of its command, after nc-run."""
    return f"experiment={row}".split()


def title_of(row: str) -> str:
    """The experiment with what is chosen of it, but for the scale: `linear_head_depth_resnet data=mnist`."""
    return " ".join(word for word in row.split() if not word.startswith("scale="))


def name_of(row: str) -> str:
    """The title as the name of a file: linear_head_depth_resnet_data_mnist."""
    return re.sub(r"\W+", "_", title_of(row))
