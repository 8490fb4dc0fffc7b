"""Batches: their order, their shares, and an epoch that is gone on with."""

from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import build_data, load_config, resolve
from pipeline.data.batches import Batches, InOrder
from pipeline.data.images.augment import Augment, Augmented
from pipeline.data.texts.bucketed import Bucketed
from pipeline.errors import ConfigError
from tests.conftest import TINY_TEXT

AUGMENT = Augment(rotate_deg=10, shift_px=2, scale=0.1, shear=0.1, elastic_px=0.7)


def numbered(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs that are told apart by their label."""
    return torch.arange(count), torch.arange(count)


def plain(count: int, size: int, **order: Any) -> Batches:
    return Batches(numbered(count), size, **order)


def augmented(count: int, size: int, **order: Any) -> Batches:
    return Augmented(numbered(count), size, AUGMENT, **order)


def bucketed(count: int, size: int, **order: Any) -> Batches:
    return Bucketed(([torch.full((1 + 7 * i % 13,), i + 2) for i in range(count)], torch.arange(count)), size, **order)


KINDS = [plain, augmented, bucketed]


def make(kind: Any, count: int = 50, *, seed: int = 0, epoch: int = 0, share: tuple[int, int] = (0, 1)) -> Batches:
    batches: Batches = kind(count, 8, seed=seed, epoch=lambda: epoch, share=share)
    return batches


def labels(batches: Any) -> list[list[int]]:
    return [batch[1].tolist() for batch in batches]


@pytest.mark.parametrize("kind", KINDS)
@given(workers=st.sampled_from([1, 2, 4]), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_any_number_of_workers_sees_the_same_global_batches(kind: Any, workers: int, seed: int, epoch: int) -> None:
    shares = [labels(make(kind, seed=seed, epoch=epoch, share=(rank, workers))) for rank in range(workers)]
    # The workers' samples, one of each in turn, are the global batch in its order.
    woven = [list(chain(*zip(*parts, strict=True))) for parts in zip(*shares, strict=True)]
    assert woven == labels(make(kind, seed=seed, epoch=epoch))


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_takes_each_sample_at_most_once_and_drops_only_an_incomplete_batch(kind: Any) -> None:
    seen = list(chain(*labels(make(kind))))
    assert len(seen) == len(set(seen)) == 48


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_is_that_of_seed_and_epoch(kind: Any) -> None:
    assert labels(make(kind)) == labels(make(kind))
    assert labels(make(kind)) != labels(make(kind, epoch=1))
    assert labels(make(kind)) != labels(make(kind, seed=1))


@pytest.mark.parametrize("kind", KINDS)
@given(taken=st.integers(0, 6), workers=st.sampled_from([1, 2]), later=st.sampled_from([1, 2]))
def test_an_epoch_goes_on_after_the_batches_that_were_taken(kind: Any, taken: int, workers: int, later: int) -> None:
    left = make(kind, share=(workers - 1, workers))
    assert len(list(islice(left, taken))) == taken
    goes_on = make(kind, share=(0, later))
    goes_on.load_state_dict(left.state_dict())
    again = [[values.tolist() for values in batch] for batch in goes_on]
    whole = [[values.tolist() for values in batch] for batch in make(kind, share=(0, later))]
    assert again == whole[taken:]  # labels, inputs, and what augments them
    assert labels(goes_on) == labels(make(kind, share=(0, later)))  # the next epoch is whole


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    assert [sorted(batch) for batch in labels(make(plain, 5))] == [[0, 1, 2, 3, 4]]


@given(st.integers(1, 3000), st.integers(1, 4))
def test_evaluation_sees_every_sample_once(count: int, workers: int) -> None:
    shares = [InOrder(numbered(count), (rank, workers)) for rank in range(workers)]
    seen = sorted(label for share in shares for _, labels in share for label in labels.tolist())
    assert seen == list(range(count))
    assert all(len(list(share)) == len(share) for share in shares)


class Trainer:
    """What a data module sees of Lightning's."""

    def __init__(self, rank: int, workers: int):
        self.global_rank, self.world_size, self.current_epoch = rank, workers, 1


SETS = [
    ["data=digits", "model=mlp"],
    ["data=imdb", "model=gru", *TINY_TEXT[1:]],
    ["data=plane", "model=mlp", "data.batch_size=8"],
    ["data=piglatin", "model=seq2seq", "data.words=300", "data.val_size=20", "data.test_size=20"],
]


@pytest.mark.parametrize("overrides", SETS, ids=lambda overrides: overrides[0])
def test_every_data_set_gives_four_workers_the_global_batches_of_one(overrides: list[str], tiny_imdb: Path) -> None:
    config = resolve(load_config(*overrides))

    def targets(rank: int, workers: int) -> list[list[Any]]:
        data = build_data(config, tiny_imdb / "data")
        data.setup()
        data.trainer = Trainer(rank, workers)
        return labels(data.train_dataloader())

    shares = [targets(rank, 4) for rank in range(4)]
    woven = [list(chain(*zip(*parts, strict=True))) for parts in zip(*shares, strict=True)]
    assert woven == targets(0, 1)
    with pytest.raises(ConfigError, match=r"data\.batch_size: \d+ can't be shared equally by 7 workers"):
        targets(0, 7)
