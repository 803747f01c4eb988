"""The keys of ``data``: where samples and labels come from."""

from __future__ import annotations

from dataclasses import dataclass

from nc_runner.config.choices import DataName, Imbalance, Means, Split
from nc_runner.config.field import key


@dataclass
class DataConfig:
    name: DataName = key(DataName.teacher, "where samples and labels come from")
    samples: int = key(
        10_000, "number of training samples N; of images per_class times classes, where per_class is set", low=2
    )
    dim: int = key(16, "input dimension; images have their own", low=1)
    classes: int = key(4, "number of classes C", low=2)
    input_seed: int = key(10_000, "seed of the inputs, or of a subset of images", low=0, high=2**32 - 1)
    label_seed: int = key(
        12_138, "seed of the teacher's weights, or of the conic hull's planes and inputs", low=0, high=2**32 - 1
    )
    teacher_depth: int = key(3, "linear layers of the teacher: the distribution's complexity", low=1)
    teacher_width: int = key(200, "width of the teacher's hidden layers", low=1)
    sigma: float = key(0.1, "noise of the Gaussian mixture, its standard deviation in every direction", low=0.0)
    means: Means = key(
        Means.orthonormal, "class means of the Gaussian mixture: orthonormal, or random of mean square norm 1"
    )
    label_noise: float = key(
        0.0, "share of the samples that get a wrong label, any other with equal chance, by the seed of the data",
        low=0.0, high=1.0,
    )  # fmt: skip
    imbalance: float = key(
        1.0, "how many times as many samples the largest class has as the smallest; 1: as the data are", low=1.0
    )
    imbalance_shape: Imbalance = key(
        Imbalance.long_tail,
        "long_tail, class sizes fall geometrically from class 0 on; or step, the second half of the classes is small",
    )
    test: bool = key(
        False,
        "measure held-out data too, as metrics test_*: a second draw, or a set's test split; its labels have no noise "
        "and its classes no imbalance",
    )
    split: Split = key(Split.train, "images that are trained on: a set's training split, or its test split")
    per_class: int | None = key(
        None, "images of each class in a random subset of the split; null: the whole split", low=1
    )
    root: str | None = key(
        None, "folder of image data sets in the Hugging Face parquet layout; null: NC_DATA_ROOT, then the hub"
    )
    path: str | None = key(
        None,
        "images: a folder of class folders or parquet files, a .npz file of arrays, or hub:OWNER/NAME on the Hugging "
        "Face hub",
    )
    columns: str | None = key(
        None, "IMAGE:LABEL, the columns of a table of images or the arrays of a file, where there are several or others"
    )
    skip_bad: bool = key(False, "leave out images that cannot be decoded, and say which, instead of refusing the set")
    image_size: int | None = key(None, "side in pixels that images are resized to; null: as they are", low=1)
    channels: int | None = key(
        None, "1 makes images grey, 3 makes them of three colours; null: as they are", low=1, high=3
    )
