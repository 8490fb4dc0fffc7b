"""Batches: their order, their shards, and an epoch that is resumed."""

from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import build_data, load_config, resolve
from pipeline.data.batches import ONE_SHARD, Batches, InOrder, Shards, SideBySide
from pipeline.data.images.augment import Augment, Augmented
from pipeline.data.texts.bucketed import Bucketed
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


def make(kind: Any, count: int = 50, *, seed: int = 0, epoch: int = 0, shards: Shards = ONE_SHARD) -> Batches:
    batches: Batches = kind(count, 8, seed=seed, epoch=lambda: epoch, shards=shards)
    return batches


def labels(batches: Any) -> list[list[int]]:
    return [batch[1].tolist() for batch in batches]


def parts(batches: Any) -> list[dict[int, list[Any]]]:
    """The shards of each batch by their numbers, everything in them as lists."""
    return [{shard.number: [values.tolist() for values in shard.batch] for shard in batch} for batch in batches]


@pytest.mark.parametrize("kind", KINDS)
@given(workers=st.sampled_from([1, 2, 4]), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_any_number_of_workers_computes_the_same_shards(kind: Any, workers: int, seed: int, epoch: int) -> None:
    def all_shards(workers: int) -> list[dict[int, list[Any]]]:
        groups = [
            parts(make(kind, seed=seed, epoch=epoch, shards=Shards.of_worker(4, rank, workers)))
            for rank in range(workers)
        ]
        return [{number: part for one in batch for number, part in one.items()} for batch in zip(*groups, strict=True)]

    found = all_shards(workers)
    assert found == all_shards(1)
    # One sample of each shard in turn: the batch in its order.
    woven = [list(chain(*zip(*(part[1] for part in batch.values()), strict=True))) for batch in found]
    assert woven == labels(make(kind, seed=seed, epoch=epoch))


@given(st.integers(1, 40), st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8]))
def test_a_batch_is_cut_into_parts_of_two_samples_or_more_that_hold_each_once(
    samples: int, shards: int, workers: int
) -> None:
    groups = [Shards.of_worker(shards, rank, min(workers, shards)) for rank in range(min(workers, shards))]
    cut = [(number, list(range(samples))[part]) for group in groups for number, part in group.parts(samples)]
    assert [number for number, _ in cut] == list(range(len(cut)))
    assert sorted(chain(*(places for _, places in cut))) == list(range(samples))
    assert samples < 4 or all(len(places) >= 2 for _, places in cut)
    sizes = [len(places) for _, places in cut]
    assert max(sizes) - min(sizes) <= 1
    assert len(cut) == max(k for k in (1, 2, 4, 8) if k <= shards and (k == 1 or samples >= 2 * k))


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
def test_an_epoch_resumes_after_the_batches_that_were_taken(kind: Any, taken: int, workers: int, later: int) -> None:
    left = make(kind, shards=Shards.of_worker(4, workers - 1, workers))
    assert len(list(islice(left, taken))) == taken
    shards = Shards.of_worker(4, 0, later)
    resumed = make(kind, shards=shards)
    resumed.load_state_dict(left.state_dict())
    whole = parts(make(kind, shards=shards))
    assert parts(resumed) == whole[taken:]  # labels, inputs, and what augments them
    assert parts(resumed) == whole  # the next epoch


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    assert [sorted(batch) for batch in labels(make(plain, 5))] == [[0, 1, 2, 3, 4]]


@given(st.integers(1, 3000), st.integers(1, 4))
def test_evaluation_sees_every_sample_once(count: int, shards: int) -> None:
    loaders = {number: InOrder(numbered(count), (number, shards)) for number in range(shards)}
    seen = sorted(label for loader in loaders.values() for _, labels in loader for label in labels.tolist())
    assert seen == list(range(count))
    assert all(len(list(loader)) == len(loader) for loader in loaders.values())
    together = SideBySide(loaders)
    rows = list(together)
    assert len(rows) == len(together) >= 1
    for number, loader in loaders.items():
        own = [shard.batch[1].tolist() for row in rows for shard in row if shard.number == number]
        assert own == [labels.tolist() for _, labels in loader]


SETS = [
    ["data=digits", "model=mlp"],
    ["data=imdb", "model=gru", *TINY_TEXT[1:]],
    ["data=plane", "model=mlp", "data.batch_size=8"],
    ["data=piglatin", "model=seq2seq", "data.words=300", "data.val_size=20", "data.test_size=20"],
]


@pytest.mark.parametrize("overrides", SETS, ids=lambda overrides: overrides[0])
def test_every_data_set_cuts_the_global_batches_of_one_shard_and_its_validation(
    overrides: list[str], tiny_imdb: Path
) -> None:
    config = resolve(load_config(*overrides))

    def loaders(shards: Shards) -> tuple[Any, Any]:
        data = build_data(config, tiny_imdb / "data")
        data.setup()
        data.shards = shards
        return data.train_dataloader(epoch=lambda: 1), data.val_dataloader()

    train, val = loaders(Shards.of_worker(4, 0, 1))
    whole = loaders(ONE_SHARD)
    woven = [list(chain(*zip(*(part[1] for part in batch.values()), strict=True))) for batch in parts(train)]
    assert woven == labels(whole[0])
    assert [sum(len(shard.batch[1]) for row in val for shard in row)] == [sum(len(part) for part in labels(whole[1]))]
