"""Repeated work beside the main thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(act: Callable[[], object], every_s: float, name: str) -> Iterator[None]:
    """Call `act` every `every_s` seconds, from a thread of this name, while the block runs; wait for the last call."""
    done = threading.Event()

    def loop() -> None:
        while not done.wait(every_s):
            act()

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
