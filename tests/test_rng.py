import torch

from nc_runner.rng import generator, minibatch_order


def test_a_draw_depends_on_seed_purpose_and_epoch_alone() -> None:
    draws = {
        tuple(torch.rand(3, generator=generator(*key)).tolist())
        for key in [(0, "init", 0), (1, "init", 0), (0, "order", 0), (0, "init", 1)]
    }
    assert len(draws) == 4
    assert torch.equal(torch.rand(3, generator=generator(5, "a", 2)), torch.rand(3, generator=generator(5, "a", 2)))


def test_minibatch_order_is_a_permutation_that_changes_with_the_epoch() -> None:
    first, second = minibatch_order(0, 0, 50), minibatch_order(0, 1, 50)
    assert sorted(first.tolist()) == list(range(50))
    assert not torch.equal(first, second)
    assert torch.equal(first, minibatch_order(0, 0, 50))
