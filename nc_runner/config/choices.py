"""The names that a key of the schema may have as its value, where only a few are allowed."""

from __future__ import annotations

from enum import Enum


class DataName(Enum):
    teacher = "teacher"
    conic_hull = "conic_hull"
    balanced = "balanced"
    gaussian_mixture = "gaussian_mixture"
    mnist = "mnist"
    fashion_mnist = "fashion_mnist"
    kmnist = "kmnist"
    cifar10 = "cifar10"
    digits = "digits"
    images = "images"


IMAGE_DATA = frozenset(
    (DataName.mnist, DataName.fashion_mnist, DataName.kmnist, DataName.cifar10, DataName.digits, DataName.images)
)


class Split(Enum):
    train = "train"
    test = "test"


class Means(Enum):
    orthonormal = "orthonormal"
    random = "random"


class ModelName(Enum):
    mlp = "mlp"
    residual_mlp = "residual_mlp"
    free_features = "free_features"
    ulpm = "ulpm"
    resnet20 = "resnet20"
    resnet18 = "resnet18"
    vgg13 = "vgg13"
    own = "own"


CONVOLUTIONAL = frozenset((ModelName.resnet20, ModelName.resnet18, ModelName.vgg13))


class LossName(Enum):
    cross_entropy = "cross_entropy"
    mse = "mse"


class Start(Enum):
    normal = "normal"
    simplex = "simplex"
    saddle = "saddle"
    interpolating = "interpolating"
    collapsed = "collapsed"


OF_MLP = frozenset((Start.interpolating, Start.collapsed))


class Norm(Enum):
    affine = "affine"
    plain = "plain"
    layer = "layer"
    none = "none"


BATCH_NORMS = frozenset((Norm.affine, Norm.plain))


class Activation(Enum):
    relu = "relu"
    leaky_relu = "leaky_relu"
    linear = "linear"
    tanh = "tanh"
    gelu = "gelu"
    silu = "silu"
    elu = "elu"


class Init(Enum):
    torch = "torch"
    he = "he"


class Spacing(Enum):
    log = "log"
    linear = "linear"


class Method(Enum):
    sgd = "sgd"
    gd = "gd"
    flow = "flow"
    critical_point = "critical_point"
    none = "none"


class Optimizer(Enum):
    sgd = "sgd"
    nesterov = "nesterov"
    adam = "adam"
    adamw = "adamw"
    gd = "gd"


ADAPTIVE = frozenset((Optimizer.adam, Optimizer.adamw))


class Schedule(Enum):
    steps = "steps"
    cosine = "cosine"
    constant = "constant"


class Imbalance(Enum):
    long_tail = "long_tail"
    step = "step"


class Clock(Enum):
    t = "t"
    log_t = "log_t"
    log_log_t = "log_log_t"


class Solver(Enum):
    auto = "auto"
    LSODA = "LSODA"
    BDF = "BDF"
    Radau = "Radau"


class Reduction(Enum):
    sum = "sum"
    mean = "mean"


class Precision(Enum):
    float32 = "float32"
    float64 = "float64"


class MatmulPrecision(Enum):
    highest = "highest"
    high = "high"
    medium = "medium"


class Device(Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class AxisScale(Enum):
    """Of a figure's horizontal axis."""

    linear = "linear"
    log = "log"
    symlog = "symlog"
