"""Word vectors by truncated SVD of positive pointwise mutual information (PPMI).

Source: Levy, Goldberg, Dagan 2015, doi:10.1162/tacl_a_00134.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.cache import cached_tensor

# V vocabulary, C context words, E embedding
VERSION = 1  # raised when the same settings would give different vectors
SMOOTHING = 0.75  # exponent of context counts (context distribution smoothing)


class Embeddings:
    """PPMI-SVD word vectors: their `size`, context `window` in words, number of context words `contexts`."""

    def __init__(self, size: int, window: int, contexts: int):
        self.size, self.window, self.contexts = size, window, contexts

    def digest(self, *sources: str) -> str:
        """Cache key of the settings and of the `sources`, digests of the texts and the vocabulary."""
        return hashlib.sha256(json.dumps([VERSION, vars(self), *sources]).encode()).hexdigest()

    def cached(self, folder: Path, digest: str, texts: Callable[[], Iterable[list[int]]], vocabulary: int) -> Tensor:
        """(V, E) vectors, read from `folder` or computed and stored there."""
        path = folder / f"embeddings-{digest}.safetensors"
        return cached_tensor(path, "vectors", lambda: self.compute(texts(), vocabulary))

    def compute(self, texts: Iterable[list[int]], vocabulary: int) -> Tensor:
        """(V, E) vectors of mean length 1 from texts as token ids below `vocabulary`: 0 padding, 1 the unknown word."""
        gap = [0] * self.window  # keeps contexts within a text
        numbers = np.concatenate([np.array([*text, *gap], dtype=np.int64) for text in texts])
        counts_VC = np.zeros(vocabulary * self.contexts, dtype=np.float32)
        for distance in range(1, self.window + 1):
            for word, context in ((numbers[:-distance], numbers[distance:]), (numbers[distance:], numbers[:-distance])):
                both = (word > 1) & (context > 1) & (context < self.contexts)
                cells = word[both] * self.contexts + context[both]
                counts_VC += np.bincount(cells, minlength=len(counts_VC)).astype(np.float32) / distance
        counts = torch.from_numpy(counts_VC).view(vocabulary, self.contexts)
        context_C = counts.sum(dim=0) ** SMOOTHING
        context_C /= context_C.sum()
        counts /= counts.sum(dim=1, keepdim=True).clamp(min=1e-9)
        counts /= context_C.clamp(min=1e-9)
        ppmi_VC = counts.log_().clamp_(min=0)  # log 0 is -inf: no co-occurrence
        torch.manual_seed(0)
        left_VE, strengths_E, _ = torch.svd_lowrank(ppmi_VC, q=self.size, niter=2)
        vectors_VE: Tensor = left_VE * strengths_E.sqrt()
        return vectors_VE.div_(vectors_VE.norm(dim=1).mean()).contiguous()
