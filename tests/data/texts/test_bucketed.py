"""Texts in batches of about equal length."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.batches import Shard, Shards
from pipeline.data.texts.bucketed import Bucketed, ByLength


def numbered(count: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Texts of different lengths that are told apart by their label."""
    return [torch.full((1 + 7 * index % 13,), index + 2) for index in range(count)], torch.arange(count)


def test_a_batch_is_padded_at_the_end_to_its_longest_text_and_holds_texts_of_about_equal_length() -> None:
    texts, _ = numbered(60)
    real = numbers = 0
    for tokens, labels in Bucketed(numbered(60), 6, seed=0, epoch=lambda: 0):
        for row, label in zip(tokens, labels.tolist(), strict=True):
            assert row.tolist() == texts[label].tolist() + [0] * (tokens.shape[1] - len(texts[label]))
        real, numbers = real + int((tokens != 0).sum()), numbers + tokens.numel()
    assert real / numbers > 0.85  # 54 % if the batches were drawn at random


@given(st.integers(1, 600), st.integers(1, 3))
def test_evaluation_sees_every_text_once(count: int, shards: int) -> None:
    loaders = [ByLength(numbered(count), (number, shards)) for number in range(shards)]
    assert sorted(label for one in loaders for _, labels in one for label in labels.tolist()) == list(range(count))
    assert all(len(list(loader)) == len(loader) for loader in loaders)


def test_a_shard_is_padded_to_its_own_longest_text() -> None:
    shards = Shards.of_worker(2, 0, 1)
    for batch in Bucketed(numbered(60), 6, seed=0, epoch=lambda: 0, shards=shards):
        for shard in batch:
            assert isinstance(shard, Shard)
            assert (shard.batch[0] != 0).any(dim=0).all()
