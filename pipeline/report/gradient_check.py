"""The hand-written gradient of a small net, compared with autograd's and with finite differences.

Comparing takes milliseconds, importing torch two seconds: the result is kept for as long as code and torch stay.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.source import file_of
from pipeline.files import atomic_write
from pipeline.runs.syntax import code_digest

if TYPE_CHECKING:
    from torch import Tensor, nn

CODE = (__name__, "pipeline.models.backprop", "pipeline.models.mlp", "pipeline.models.neuron")
STEP = 1e-5  # of finite differences


@dataclass(frozen=True, slots=True)
class Differences:
    """The largest absolute differences from the hand-written gradient, over all weights."""

    weights: int
    autograd: float
    finite: float


def cached(folder: Path) -> Differences:
    """The differences, computed unless `folder` has those of the same code and version of torch."""
    files = [file for module in CODE if (file := file_of(module))]
    key = hashlib.sha256(json.dumps([version("torch"), *map(code_digest, files)]).encode()).hexdigest()
    path = folder / f"gradient-{key[:16]}.json"
    try:
        return Differences(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):  # not there, or not whole
        found = compare()
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(asdict(found)))
    return found


def compare() -> Differences:
    """Compare the gradients of a float64 net of two hidden tanh layers on 8 random samples."""
    import torch
    from torch.nn import functional as F

    from pipeline.models.backprop import Backprop
    from pipeline.models.mlp import MLP

    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    net = Backprop([6], 3, [5, 4], "tanh").double()
    twin = MLP([6], 3, [5, 4], "tanh").double()
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        theirs.data = ours.data
    inputs = torch.randn(8, 6, dtype=torch.double, generator=generator)
    labels = torch.randint(3, (8,), generator=generator)

    def gradients(module: "nn.Module") -> "Tensor":
        loss = F.cross_entropy(module(inputs), labels)
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(module.parameters()))])

    by_hand = gradients(net)
    autograd = float((by_hand - gradients(twin)).abs().max())
    finite = float((by_hand - _finite_differences(twin, inputs, labels)).abs().max())
    return Differences(len(by_hand), autograd, finite)


def _finite_differences(net: "nn.Module", inputs: "Tensor", labels: "Tensor") -> "Tensor":
    import torch
    from torch.nn import functional as F

    slopes = []
    with torch.no_grad():
        for parameter in net.parameters():
            for weight in parameter.view(-1).split(1):
                losses = []
                for change in (STEP, -2 * STEP):
                    weight += change
                    losses.append(float(F.cross_entropy(net(inputs), labels)))
                weight += STEP
                slopes.append((losses[0] - losses[1]) / (2 * STEP))
    return torch.tensor(slopes, dtype=torch.double)
