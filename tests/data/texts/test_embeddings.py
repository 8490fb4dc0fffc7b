"""Word vectors: words in the same company are alike, and a cached result is the computed one."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.data.texts.embeddings import Embeddings


def company(count: int) -> list[list[int]]:
    """Words 2 and 3 stand beside 6, words 4 and 5 beside 7."""
    rng = np.random.default_rng(0)
    return [[int(rng.choice([2, 3])), 6] if rng.random() < 0.5 else [int(rng.choice([4, 5])), 7] for _ in range(count)]


def test_words_in_the_same_company_are_alike() -> None:
    vectors = F.normalize(Embeddings(size=3, window=2, contexts=8).compute(company(400), 8), dim=1)
    assert vectors[2] @ vectors[3] > 0.99
    assert vectors[4] @ vectors[5] > 0.99
    assert abs(vectors[2] @ vectors[4]) < 0.1


def test_the_products_of_full_vectors_are_the_positive_information_by_hand() -> None:
    # 2 and 3 always meet: P(3 | 2) = 1, smoothed shares of the contexts 2 and 3 are 1/2 each.
    vectors = Embeddings(size=2, window=1, contexts=4).compute([[2, 3]] * 5, 4)
    left, strengths, _ = torch.linalg.svd(
        torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1.0], [0, 0, 1.0, 0]]) * np.log(2)
    )
    expected = (left[:, :2] * strengths[:2].sqrt()).norm(dim=1)
    torch.testing.assert_close(vectors.norm(dim=1) / vectors.norm(dim=1).sum(), expected / expected.sum())


def test_no_context_reaches_into_another_text_and_unknown_words_give_none() -> None:
    vectors = Embeddings(size=2, window=3, contexts=4).compute([[2, 3], [1, 2], [3]] * 3, 5)
    assert vectors[[0, 1, 4]].abs().max() < 1e-6


def test_a_cached_result_is_the_computed_one_and_other_settings_are_other_results(tmp_path: Path) -> None:
    settings = Embeddings(size=3, window=2, contexts=8)
    digest = settings.digest("texts", "vocabulary")
    made = settings.cached(tmp_path, digest, lambda: company(50), 8)
    kept = settings.cached(tmp_path, digest, list, 8)  # would fail if it were computed
    assert torch.equal(made, kept)
    assert digest != settings.digest("other texts", "vocabulary")
    assert digest != Embeddings(size=2, window=2, contexts=8).digest("texts", "vocabulary")
