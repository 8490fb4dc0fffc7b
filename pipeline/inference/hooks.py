"""The inputs and outputs of a net's layers during a forward pass."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident

from torch import Tensor, nn


@contextmanager
def recording(modules: Iterable[nn.Module]) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Record the input and the output of some modules, call by call, while the block runs.

    Only calls of this thread: servers call a net from several threads, which share its hooks.
    """
    calls: list[tuple[Tensor, Tensor]] = []
    own = get_ident()

    def record(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if get_ident() == own:
            calls.append((inputs[0], output))

    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(module.register_forward_hook(record))
        yield calls
