"""Operations of the nets with fixed inputs: one thread, inputs from torch's own generator.

`python -m benchmarks.bits.operations` prints a digest and the milliseconds of each, under the settings of its
environment. A change here makes recorded digests void.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import svds
from torch import Tensor, nn
from torch.nn import functional as F

REPEATS = 7

Run = Callable[[], list[Tensor]]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rand(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(sum(shape)))


def made(make: Callable[[], nn.Module]) -> nn.Module:
    """A module with weights drawn from seed 0."""
    torch.manual_seed(0)
    return make()


def last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def conv(channels: int, filters: int, kernel: int, stride: int, padding: int, bias: bool = True) -> nn.Module:
    """A convolution in channels_last."""
    make = made(lambda: nn.Conv2d(channels, filters, kernel, stride, padding, bias=bias))
    return make.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def both(module: nn.Module, *inputs: Tensor) -> Run:
    """The result and all gradients of a module."""

    def run() -> list[Tensor]:
        leaves = [each.clone().requires_grad_(each.is_floating_point()) for each in inputs]
        module.zero_grad()
        out = module(*leaves)
        out = out[0] if isinstance(out, tuple) else out
        out.square().sum().backward()
        found = [leaf.grad for leaf in leaves] + [parameter.grad for parameter in module.parameters()]
        return [out, *(gradient for gradient in found if gradient is not None)]

    return run


def adamw() -> list[Tensor]:
    weights = nn.Parameter(rand(512, 784))
    optimizer = torch.optim.AdamW([weights], lr=0.01, fused=True)
    for step in range(3):
        weights.grad = rand(512, 784) * (step + 1)
        optimizer.step()
    return [weights]


def singular_vectors() -> list[Tensor]:
    matrix = sp.random(500, 400, 0.05, random_state=0, format="csr")
    return [torch.from_numpy(np.abs(svds(matrix, 20, v0=np.ones(400))[0]).copy())]


def operations() -> Iterator[tuple[str, Run]]:
    yield "random normal", lambda: [rand(1000, 784)]
    yield "sum over rows and columns", lambda: [rand(1000, 784).sum(0), rand(1000, 784).sum(1), rand(784000).sum()]
    functions = (torch.exp, torch.log, torch.tanh, torch.sigmoid)
    yield "exp, log, tanh, sigmoid", lambda: [function(rand(1000, 784).abs()) for function in functions]
    classes = torch.arange(512) % 10
    yield (
        "softmax, cross-entropy",
        lambda: [
            F.log_softmax(rand(512, 10), 1),
            F.cross_entropy(rand(512, 10), classes, label_smoothing=0.05),
        ],
    )
    yield "matmul 128x784x512", lambda: [rand(128, 784) @ rand(784, 512)]
    yield "matmul 128x512x10", lambda: [rand(128, 512) @ rand(512, 10)]
    yield "linear 784-512, batch 128", both(made(lambda: nn.Linear(784, 512)), rand(128, 784))
    yield "linear 784-512, batch 55", both(made(lambda: nn.Linear(784, 512)), rand(55, 784))
    yield "linear 512-10, batch 128", both(made(lambda: nn.Linear(512, 10)), rand(128, 512))
    yield "conv 1-16 5x5/2, batch 128", both(conv(1, 16, 5, 2, 2, bias=False), last(rand(128, 1, 28, 28)))
    yield "conv 16-32 3x3/2, batch 128", both(conv(16, 32, 3, 2, 1, bias=False), last(rand(128, 16, 14, 14)))
    yield "conv 32-64 3x3, batch 128", both(conv(32, 64, 3, 1, 0, bias=False), last(rand(128, 32, 7, 7)))
    yield "conv 3-32 3x3 64px, batch 32", both(conv(3, 32, 3, 1, 1), last(rand(32, 3, 64, 64)))
    transposed = made(lambda: nn.ConvTranspose2d(64, 32, 4, 2, 1))
    yield "transposed conv 64-32 4x4/2", both(transposed, rand(32, 64, 7, 7))
    yield "batch norm 2d", both(made(lambda: nn.BatchNorm2d(32)), last(rand(128, 32, 14, 14)))
    yield "batch norm 1d", both(made(lambda: nn.BatchNorm1d(128)), rand(128, 128))
    pooled = nn.Sequential(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1))
    yield "max pool, mean pool", both(pooled, rand(64, 32, 14, 14))
    for cell in (nn.RNN, nn.GRU, nn.LSTM):
        recurrent = made(lambda cell=cell: cell(128, 64, batch_first=True))  # type: ignore[misc]
        yield f"{cell.__name__} 128-64, 32x80", both(recurrent, rand(32, 80, 128))
    words = torch.randint(0, 20000, (64, 200), generator=generator(1))
    yield "embedding gradient", both(made(lambda: nn.Embedding(20000, 128)), words)
    grid = rand(128, 28, 28, 2).clamp(-1, 1)
    yield "grid sample", lambda: [F.grid_sample(rand(128, 1, 28, 28), grid, align_corners=False)]
    yield "AdamW, fused", adamw
    yield "scipy svds", singular_vectors


def digest(tensors: list[Tensor]) -> str:
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def measured(run: Run) -> dict[str, str | float]:
    first, times = digest(run()), []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return {"sha256": first, "ms": round(min(times) * 1000, 3)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    if os.environ.get("NO_ONEDNN"):
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    print(json.dumps({name: measured(run) for name, run in operations()}))
