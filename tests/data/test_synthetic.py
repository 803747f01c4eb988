import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data import balanced, conic_hull, load, teacher
from nc_runner.data.synthetic import conic_hull_labels
from nc_runner.errors import UserError


def test_teacher_has_the_authors_class_counts() -> None:
    x, y = teacher()
    assert x.shape == (10_000, 16)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert y.bincount().tolist() == [2654, 2442, 2147, 2757]


def test_balanced_has_as_many_samples_of_every_class() -> None:
    x, y = load(DataConfig(name=DataName.balanced, samples=12, dim=3, classes=4, input_seed=5))
    assert x.shape == (12, 3)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert y.bincount().tolist() == [3, 3, 3, 3]
    assert not torch.equal(x, balanced(12, 3, 4, input_seed=6)[0])


def test_teacher_is_the_network_of_the_thesis() -> None:
    """Against the recipe of the thesis written out with plain arithmetic in place of torch's modules."""
    x, y = teacher(samples=200)
    torch.manual_seed(12_138)
    linears = [torch.nn.Linear(16, 200), torch.nn.Linear(200, 200), torch.nn.Linear(200, 4)]
    h = x.double()
    for i, linear in enumerate(linears):
        h = h @ linear.weight.detach().double().T + linear.bias.detach().double()
        if i < 2:
            h = h.clamp(min=0)
            h = (h - h.mean(0)) / (h.var(0, unbiased=False) + 1e-5).sqrt()
    top = h.topk(2).values
    assert torch.equal(y, h.argmax(1))
    assert (top[:, 0] - top[:, 1]).min() > 1e-6  # no label hangs on rounding


def test_teacher_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    teacher(samples=10)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_teacher_depth_changes_labels_only(depth: int) -> None:
    x, y = teacher(samples=300, depth=depth)
    assert torch.equal(x, teacher(samples=300)[0])
    assert set(y.tolist()) <= set(range(4))


def test_conic_hull_has_the_authors_class_counts() -> None:
    x, y = conic_hull()
    assert x.shape == (10_000, 16)
    assert x.dtype == torch.float32
    assert y.bincount().tolist() == [2308, 2669, 2607, 2416]


def test_conic_hull_labels_against_a_double_loop() -> None:
    random = np.random.RandomState(0)
    points, planes = random.randn(50, 3), random.randn(3, 3)
    for classes in (5, 6, 7, 8):
        cells = 2 ** math.ceil(math.log2(classes))
        for point, label in zip(points, conic_hull_labels(points, planes, classes), strict=True):
            cell = 0
            for plane in planes:
                cell = 2 * cell + (sum(a * b for a, b in zip(point, plane, strict=True)) > 0)
            # Walk the cells in order, the first cells - classes pairs sharing a class.
            names, name = [], 0
            while len(names) < cells:
                names += [name] * (2 if name < cells - classes else 1)
                name += 1
            assert label == names[cell]
            assert name == classes


def test_load_follows_the_config() -> None:
    config = DataConfig(name=DataName.conic_hull, samples=100, dim=3, classes=2)
    x, y = load(config)
    assert torch.equal(x, conic_hull(100, 3, 2)[0])
    assert torch.equal(y, conic_hull(100, 3, 2)[1])


def test_teachers_drawn_in_several_threads_are_those_drawn_alone() -> None:
    """torch's global generator belongs to all threads."""
    depths = [2, 3, 4, 5] * 10
    alone = {depth: teacher(200, 8, 3, depth=depth, width=20)[1] for depth in set(depths)}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they meet
    try:
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda depth: teacher(200, 8, 3, depth=depth, width=20)[1], depths))
    finally:
        sys.setswitchinterval(interval)
    assert all(torch.equal(labels, alone[depth]) for depth, labels in zip(depths, together, strict=True))


def test_a_class_without_a_sample_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.samples=5: none of them is of class \d of data\.classes=8; allowed"):
        load(DataConfig(samples=5, dim=4, classes=8))
