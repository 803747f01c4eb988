"""How a training is told: what it was, and nothing of what it was not."""

from nc_runner.config.keys import flatten, replace
from nc_runner.config.schema import Config
from nc_runner.figures import training


def told(**words: object) -> tuple[str, ...]:
    of = flatten(replace(Config(), {key.replace("__", "."): value for key, value in words.items()}))
    step = training.step_size(of, ", by drops")
    return training.optimizer(of), training.momentum(of), step, training.besides(of), training.of_data(of)


def test_by_default_sgd_and_its_drops() -> None:
    assert told() == ("SGD", "momentum", ", by drops", "", "")
    assert training.optimizer({"train.optimizer": None}, "descent") == "descent"


def test_what_else_there_is() -> None:
    assert told(train__optimizer="adamw")[:2] == ("AdamW", "beta1")
    assert told(train__optimizer="nesterov")[:2] == ("Nesterov SGD", "momentum")
    assert told(train__schedule="constant")[2] == ""
    warm = told(train__schedule="cosine", train__lr_warmup=0.05)[2]
    assert warm == ", falling to 0 by a cosine, after a linear warm-up over 5% of the epochs"
    besides = told(train__label_smoothing=0.1, train__gradient_clip=2.0, model__dropout=0.5)[3]
    assert besides == ", labels smoothed by 0.1, gradients clipped at norm 2, dropout 0.5"
    data = told(data__imbalance=10.0, data__imbalance_shape="step", data__label_noise=0.25)[4]
    assert data == ", largest class 10 times the smallest (step), 25% of the labels wrong"
