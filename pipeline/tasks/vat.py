"""A classifier that learns from texts without a label, too: to answer alike where their word vectors are moved.

Source: Miyato, Dai, Goodfellow 2017, arXiv:1605.07725 (virtual adversarial training of texts).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.tasks.fine_tuning import FineTuning

# B batch, T time, E embedding, K class
PROBE = 0.01  # how far a text is moved, as a share of its length, to find out which way changes the answer


class VirtualAdversarial(FineTuning):
    """Fine-tune a classifier with cross-entropy on labelled and a smoothness loss on unlabelled texts.

    Batches are (tokens_BT, labels_BK); a row of zeros in labels_BK marks an unlabelled text. The smoothness loss is
    KL(p(y|x) || p(y|x + r)), where r has length `vat_epsilon * ||embeddings||` and the direction that changes the
    prediction most, found by one power iteration. All passes of a step share one dropout mask.
    """

    net: Any

    def __init__(
        self,
        net: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        label_smoothing: float = 0.0,
        vat_epsilon: float = 0.02,
    ):
        super().__init__(net, optimizer, schedule, label_smoothing)
        self.vat_epsilon = vat_epsilon

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens_BT, labels_BK = batch
        known_B = labels_BK.sum(dim=1) > 0
        loss = torch.zeros((), device=tokens_BT.device)
        # A sum over all texts, so that it does not matter which worker has the ones with a label.
        if known_B.any():
            labels = labels_BK[known_B]
            logits = self.logits(tokens_BT[known_B])
            ours = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
            self._count("train", ours, logits, labels)
            loss = loss + ours * len(labels)
        if not known_B.all():
            loss = loss + self.vat_loss(tokens_BT[~known_B]).sum()
        return loss / len(tokens_BT)

    def vat_loss(self, tokens_BT: Tensor) -> Tensor:
        """(B,) how far the answer to each text goes, in nats, where its word vectors are moved."""
        seed = int(torch.randint(2**62, ()))
        with torch.no_grad():
            words_BTE, real_BT = self.net.embedding(tokens_BT), tokens_BT != self.net.embedding.padding_idx
            length_B11 = words_BTE.norm(dim=(1, 2), keepdim=True)
            still_BK = self._answer(tokens_BT, None, seed)
            any_BTE = torch.randn_like(words_BTE) * real_BT.unsqueeze(2)
        way_BTE = (PROBE * length_B11 * _unit(any_BTE)).requires_grad_()
        probed_B = _apart(still_BK, self._answer(tokens_BT, way_BTE, seed))
        (steepest_BTE,) = torch.autograd.grad(probed_B.sum(), way_BTE)
        moved_BTE = self.vat_epsilon * length_B11 * _unit(steepest_BTE)
        return _apart(still_BK, self._answer(tokens_BT, moved_BTE, seed))

    def _answer(self, tokens_BT: Tensor, moved_BTE: Tensor | None, seed: int) -> Tensor:
        """(B, K) log-probabilities; one seed loses the same words and states."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return F.log_softmax(self.net(tokens_BT, moved_BTE).float(), dim=1)


def _apart(still_BK: Tensor, moved_BK: Tensor) -> Tensor:
    return F.kl_div(moved_BK, still_BK, log_target=True, reduction="none").sum(dim=1)


def _unit(way_BTE: Tensor) -> Tensor:
    return F.normalize(way_BTE.flatten(1), dim=1).view_as(way_BTE)
