"""One page's training, in a process of its own: whatever it is asked to do, it can slow nobody else.

The process reads messages (`settings.Message`, JSON) from a pipe and writes what the page is sent: b"j" and JSON, or
b"b" and a frame. It is at most two frames ahead of what the page has drawn, so a slow reader misses frames and no queue
grows.
"""

import json
import struct
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
from pydantic import ValidationError

from pipeline.app.play import export
from pipeline.app.play.learner import Learner
from pipeline.app.play.net import Array
from pipeline.app.play.points import GRID, features, grid
from pipeline.app.play.settings import Change, Message, Settings
from pipeline.errors import PipelineError

EPOCHS_PER_S = {"slow": 10.0, "normal": 90.0, "fast": 1e9}
FRAMES_PER_S = 60.0
SLICE_S = 0.012  # of training without a look at the pipe
AHEAD = 2  # frames under way
SMALL = 2  # every how many pixels a hidden unit's map has one


def codes(values: Array) -> bytes:
    """A byte a value: 1 to 255 for -1 to 1, 128 for 0, values below 0 below 128; 0 is no number."""
    with np.errstate(invalid="ignore"):
        scaled = np.floor(128 + 127 * np.clip(values, -1, 1))
    return np.where(np.isfinite(values), scaled, 0).astype(np.uint8).tobytes()


class Session:
    """What a page's messages do to a learner, and the frames that show it."""

    def __init__(self, send: Callable[[bytes], None]):
        self.send = send
        self.learner, self.grid = Learner(Settings.model_validate({})), features(grid(), ["x1", "x2"])
        self.running, self.speed, self.stop = False, "normal", 0
        self.replay, self.pending = 0, list[Change]()
        self.look = (-1, -1)
        self.losses: list[tuple[int, float, float]] = []
        self.fresh, self.sent, self.seen = False, 0, 0
        self.next_epoch = self.next_frame = 0.0

    def obey(self, message: Message) -> None:
        """Carry out a page's message.

        Raises: PipelineError for what can't be exported.
        """
        if message.settings:
            self.begin(message.settings)
            self.pending = sorted(message.changes, key=lambda change: change.epoch)
            self.make_pending()
        else:
            for change in message.changes:
                self.learner.change(change)
                self.note()
                made = change.model_copy(update={"epoch": self.learner.epoch})
                self.tell({"changed": made.model_dump(exclude_none=True)})
        self.replay = self.replay if message.replay is None else message.replay
        self.stop = self.stop if message.stop is None else message.stop
        self.speed, self.look = message.speed or self.speed, message.look or self.look
        if message.run is not None:
            self.running, self.next_epoch = message.run, time.monotonic()
        if message.step:
            self.running = False
            self.train()
        if message.export:
            name, text = export.export(self.learner, message.export)
            self.tell({"file": name, "text": text})
        if message.seen is not None:
            self.seen = min(max(self.seen, message.seen), self.sent)
        else:
            self.fresh = True

    def begin(self, settings: Settings) -> None:
        """A new net on new points."""
        self.learner = Learner(settings)
        self.grid = features(grid(), settings.features)
        self.running, self.replay, self.losses = False, 0, []
        points = self.learner.points
        rows = np.column_stack([points.xy_N2, points.target_N]).round(4).tolist()
        self.tell({"points": rows, "train": points.train, "classifies": self.learner.classifies})
        self.note()

    def train(self) -> None:
        """One epoch, then the changes that a link says came after it."""
        self.learner.run_epoch()
        self.make_pending()
        self.note()
        if self.stop and self.learner.epoch == self.stop:
            self.running = False

    def make_pending(self) -> None:
        while self.pending and self.pending[0].epoch <= self.learner.epoch:
            self.learner.change(self.pending.pop(0))

    def note(self) -> None:
        self.losses.append((self.learner.epoch, *self.learner.losses))
        del self.losses[:-4000]
        self.fresh = True

    @property
    def behind(self) -> bool:
        return self.learner.epoch < self.replay

    def wait_s(self) -> float | None:
        """Seconds until there is something to do; None: until a message comes."""
        now, due = time.monotonic(), list[float]()
        if self.behind:
            return 0.0
        if self.running:
            due.append(self.next_epoch - now)
        if self.fresh and self.sent - self.seen < AHEAD:
            due.append(self.next_frame - now)
        return max(0.0, min(due)) if due else None

    def advance(self) -> None:
        """Train for as long as a slice, and draw a frame if one is due."""
        end = time.monotonic() + SLICE_S
        while self.behind and time.monotonic() < end:
            self.train()
        while self.running and not self.behind and self.next_epoch <= (now := time.monotonic()) < end:
            self.train()
            # What could not be kept up with is let go.
            self.next_epoch = max(self.next_epoch + 1 / EPOCHS_PER_S[self.speed], now - SLICE_S)
        started = time.monotonic()
        if self.fresh and self.sent - self.seen < AHEAD and started >= self.next_frame:
            self.draw()
            took = time.monotonic() - started  # at least as long for training
            self.next_frame = max(started + 1 / FRAMES_PER_S, started + 2 * took)

    def draw(self) -> None:
        """Send a frame: its header's length, the header, all weights, the large map, the hidden units' small maps."""
        learner, net = self.learner, self.learner.net
        with np.errstate(all="ignore"):
            output = learner.output(net.forward(self.grid))[0]
        hidden = net.arrays(self.grid.shape[1]).hidden_JB
        layer, unit = self.look
        large = hidden[layer][unit] if 0 <= layer < len(hidden) and 0 <= unit < len(hidden[layer]) else output
        small = [maps.reshape(-1, GRID, GRID)[:, ::SMALL, ::SMALL] for maps in hidden]
        self.sent += 1
        header = {
            "frame": self.sent,
            "epoch": learner.epoch,
            "running": self.running or self.behind,
            "look": self.look if large is not output else (-1, -1),
            # A number that is none has no word in JSON.
            "losses": [
                (epoch, *(loss if np.isfinite(loss) else None for loss in both)) for epoch, *both in self.losses
            ],
            "dead": np.flatnonzero(learner.alive == 0).tolist(),
        }
        text = json.dumps(header).encode()

        maps = codes(large) + b"".join(codes(one) for one in small)
        self.send(b"b" + struct.pack("<I", len(text)) + text + net.theta.astype("<f8").tobytes() + maps)
        self.losses, self.fresh = [], False

    def tell(self, what: dict[str, object]) -> None:
        self.send(b"j" + json.dumps(what).encode())


def work(pipe: Connection) -> None:
    """The process: messages in, frames out, until the pipe is closed."""
    session = Session(pipe.send_bytes)
    try:
        while True:
            if pipe.poll(session.wait_s()):
                content = pipe.recv_bytes()
                try:
                    session.obey(Message.model_validate_json(content))
                except ValidationError as error:
                    first = error.errors(include_url=False, include_context=False)[0]
                    where = ".".join(map(str, first["loc"]))
                    session.tell({"error": f"{where}: {first['msg']}".removeprefix(": ")})
                except PipelineError as error:
                    session.tell({"error": str(error)})
            session.advance()
    except (EOFError, OSError, KeyboardInterrupt):
        pass  # the page was closed, or the server
