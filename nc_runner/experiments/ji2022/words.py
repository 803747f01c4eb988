"""Sentences that the captions and the notes of several figures share."""

from __future__ import annotations

from nc_runner.config.schema import Config

# The measures of the four panels; what is predicted of the norms is in a sentence of its own.
DEFINITIONS = (
    "m_k: the mean feature of class k less the mean of the class means. w_k: row k of the classifier W; w̄: the mean "
    "row. Centred classifiers: w_k − w̄.",
    "(a): standard deviation over k of ‖m_k‖, ‖w_k‖ or ‖w_k − w̄‖, over their mean. The standard deviation divides by "
    "K [choice].",
    "(b): tr S_W / tr S_B; tr(S_W S_B⁺) / K; and the mean distance of a feature from its class mean over the mean of "
    "‖m_k‖. S_W is the covariance of the features within classes, S_B that of the class means. The paper's words allow "
    "each of the three [choice].",
    "(c): mean over ordered pairs of classes k ≠ j of |cos + 1/(K−1)|, of m_k, w_k or w_k − w̄; 0 at a simplex "
    "equiangular tight frame.",
    "(d): mean over k of ‖(w_k − w̄)/‖w_k − w̄‖ − m_k/‖m_k‖‖ [choice].",
)

PREDICTED = (
    "(a), predicted: std_k(w̄·u_k) / mean_k ‖w_k − w̄‖, with u_k the direction of w_k − w̄: what the mean row alone does "
    "to the norms ‖w_k‖, to first order (our derivation)."
)
MARGIN = (
    "q_min: the least margin over the samples. A margin is the logit of the true class less the largest of the others."
)
SHADED_REACH = "Shaded: t up to 1e5, about as far as descent with a constant step gets [choice]."


def over(count: int, noun: str) -> str:
    """What lines and bands are, at the beginning of a caption's last sentence."""
    return f"One {noun}" if count == 1 else f"Mean of logs (lines) and min–max band over {count} {noun}s"


def peeled_model(config: Config) -> str:
    """The layer-peeled model and its sizes, for the notes."""
    classes = config.data.classes
    return (
        "Unconstrained layer-peeled model: free features H under a classifier W without bias. "
        f"K = {classes} classes, n = {config.data.samples // classes} a class, width d = {config.model.width}."
    )
