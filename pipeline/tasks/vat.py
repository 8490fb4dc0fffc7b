"""Virtual adversarial training for text classifiers (Miyato, Dai, Goodfellow 2017, arXiv:1605.07725)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.tasks.fine_tuning import FineTuning

# B batch, T time, E embedding, K class
PROBE = 0.01  # length of the power iteration's perturbation, as a share of the embeddings' norm


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
        """(B,) KL divergence, in nats, of each text's prediction under the virtual adversarial perturbation."""
        seed = int(torch.randint(2**62, ()))
        with torch.no_grad():
            words_BTE, real_BT = self.net.embedding(tokens_BT), tokens_BT != self.net.embedding.padding_idx
            length_B11 = words_BTE.norm(dim=(1, 2), keepdim=True)
            clean_BK = self._log_probabilities(tokens_BT, None, seed)
            random_BTE = torch.randn_like(words_BTE) * real_BT.unsqueeze(2)
        direction_BTE = (PROBE * length_B11 * _unit(random_BTE)).requires_grad_()
        divergence_B = _kl_divergence(clean_BK, self._log_probabilities(tokens_BT, direction_BTE, seed))
        (gradient_BTE,) = torch.autograd.grad(divergence_B.sum(), direction_BTE)
        perturbation_BTE = self.vat_epsilon * length_B11 * _unit(gradient_BTE)
        return _kl_divergence(clean_BK, self._log_probabilities(tokens_BT, perturbation_BTE, seed))

    def _log_probabilities(self, tokens_BT: Tensor, perturbation_BTE: Tensor | None, seed: int) -> Tensor:
        """(B, K) log-probabilities; `seed` fixes the dropout masks."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return F.log_softmax(self.net(tokens_BT, perturbation_BTE).float(), dim=1)


def _kl_divergence(clean_BK: Tensor, perturbed_BK: Tensor) -> Tensor:
    return F.kl_div(perturbed_BK, clean_BK, log_target=True, reduction="none").sum(dim=1)


def _unit(direction_BTE: Tensor) -> Tensor:
    return F.normalize(direction_BTE.flatten(1), dim=1).view_as(direction_BTE)
