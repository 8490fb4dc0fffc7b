"""The training of one page, in a process of its own, so that no page can slow the server or another page.

The process reads messages (`settings.Message`, JSON) from a pipe and writes messages for the page: b"j" and JSON, or
b"b" and a frame. At most AHEAD frames are sent before the page reports that it has drawn them; a slow page skips frames
and no queue grows.
"""

import json
import struct
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection

import numpy as np
from pydantic import ValidationError

from pipeline.app.play import export
from pipeline.app.play.dataset import GRID, features, grid
from pipeline.app.play.learner import Learner
from pipeline.app.play.maps import encode_map
from pipeline.app.play.settings import Change, Message, Settings
from pipeline.app.play.starts import train_starts
from pipeline.app.play.trace import trace
from pipeline.app.validation import describe
from pipeline.errors import PipelineError

EPOCHS_PER_S = {"slow": 10.0, "normal": 90.0, "fast": 1e9}
FRAMES_PER_S = 60.0
SLICE_S = 0.012  # training time between two polls of the pipe
AHEAD = 2  # frames sent and not yet drawn
SMALL_STEP = 2  # a hidden unit's map shows every second pixel
OUTPUT = (-1, -1)  # `inspect` of the output
LOSSES = 4000  # kept for the next frame


class Session:
    """A learner, the page's messages that control it, and the frames that show it."""

    def __init__(self, send: Callable[[bytes], None]):
        self.send = send
        self.learner, self.grid = Learner(Settings.model_validate({})), features(grid(), ["x1", "x2"])
        self.running, self.speed, self.stop = False, "normal", 0
        self.replay, self.pending_changes = 0, list[Change]()
        self.inspect = OUTPUT
        self.losses: list[tuple[int, float, float]] = []
        self.frame_due, self.sent, self.drawn = False, 0, 0
        self.next_epoch = self.next_frame = 0.0  # time.monotonic()

    def handle(self, message: Message) -> None:
        """Carry out a message of the page.

        Raises: PipelineError if the network cannot be exported or traced.
        """
        if message.settings:
            self.restart(message.settings)
            self.pending_changes = sorted(message.changes, key=lambda change: change.epoch)
            self.apply_pending_changes()
        else:
            self.apply_now(message.changes)
        self.replay = self.replay if message.replay is None else message.replay
        self.stop = self.stop if message.stop is None else message.stop
        self.speed, self.inspect = message.speed or self.speed, message.inspect or self.inspect
        if message.run is not None:
            self.running, self.next_epoch = message.run, time.monotonic()
        if message.step:
            self.running = False
            self.train_epoch()
        if message.trace is not None:
            self.send_json({"trace": asdict(trace(self.learner, message.trace))})
        if message.starts:
            self.running = False
            self.send_json({"starts": asdict(train_starts(self.learner.settings, self.learner.epoch))})
        if message.export:
            name, text = export.export(self.learner, message.export)
            self.send_json({"file": name, "text": text})
        if message.drawn is not None:
            self.drawn = min(max(self.drawn, message.drawn), self.sent)
        else:
            self.frame_due = True

    def restart(self, settings: Settings) -> None:
        """Make a new network on new points, at epoch 0, paused."""
        self.learner = Learner(settings)
        self.grid = features(grid(), settings.features)
        self.running, self.replay, self.losses = False, 0, []
        points = self.learner.points
        rows = np.column_stack([points.xy_N2, points.target_N]).round(4).tolist()
        self.send_json({"points": rows, "train": points.train, "classifies": self.learner.classifies})
        self.record_losses()

    def train_epoch(self) -> None:
        """One epoch, then the changes that a link repeats after it."""
        self.learner.run_epoch()
        self.apply_pending_changes()
        self.record_losses()
        if self.stop and self.learner.epoch == self.stop:
            self.running = False

    def apply_now(self, changes: list[Change]) -> None:
        """Apply changes and report the epoch of each to the page, so that its link can repeat them."""
        for change in changes:
            self.learner.change(change)
            self.record_losses()
            applied = change.model_copy(update={"epoch": self.learner.epoch})
            self.send_json({"changed": applied.model_dump(exclude_none=True)})

    def apply_pending_changes(self) -> None:
        while self.pending_changes and self.pending_changes[0].epoch <= self.learner.epoch:
            self.learner.change(self.pending_changes.pop(0))

    def record_losses(self) -> None:
        self.losses.append((self.learner.epoch, *self.learner.losses))
        del self.losses[:-LOSSES]
        self.frame_due = True

    @property
    def replaying(self) -> bool:
        return self.learner.epoch < self.replay

    @property
    def may_send_frame(self) -> bool:
        return self.frame_due and self.sent - self.drawn < AHEAD

    def wait_s(self) -> float | None:
        """Seconds until the next epoch or frame is due; None: nothing is due before a message arrives."""
        now, due = time.monotonic(), list[float]()
        if self.replaying:
            return 0.0
        if self.running:
            due.append(self.next_epoch - now)
        if self.may_send_frame:
            due.append(self.next_frame - now)
        return max(0.0, min(due)) if due else None

    def advance(self) -> None:
        """Train for at most SLICE_S, then send a frame if one is due."""
        end = time.monotonic() + SLICE_S
        while self.replaying and time.monotonic() < end:
            self.train_epoch()
        while self.running and not self.replaying and self.next_epoch <= (now := time.monotonic()) < end:
            self.train_epoch()
            # Epochs that were missed because the machine was busy are not caught up.
            self.next_epoch = max(self.next_epoch + 1 / EPOCHS_PER_S[self.speed], now - SLICE_S)
        started = time.monotonic()
        if self.may_send_frame and started >= self.next_frame:
            self.send_frame()
            took = time.monotonic() - started  # training gets at least as much time as drawing
            self.next_frame = max(started + 1 / FRAMES_PER_S, started + 2 * took)

    def send_frame(self) -> None:
        """Send a frame: length of the header, header, all weights, the large map, the hidden units' small maps."""
        learner, net = self.learner, self.learner.net
        with np.errstate(all="ignore"):
            output = learner.output(net.forward(self.grid))[0]
        hidden = net.workspace(self.grid.shape[1]).hidden_JB
        layer, unit = self.inspect
        large = hidden[layer][unit] if 0 <= layer < len(hidden) and 0 <= unit < len(hidden[layer]) else output
        small = [maps.reshape(-1, GRID, GRID)[:, ::SMALL_STEP, ::SMALL_STEP] for maps in hidden]
        self.sent += 1
        header = {
            "frame": self.sent,
            "epoch": learner.epoch,
            "running": self.running or self.replaying,
            "inspected": self.inspect if large is not output else OUTPUT,
            "losses": [
                # JSON has no NaN.
                (epoch, *(loss if np.isfinite(loss) else None for loss in both))
                for epoch, *both in self.losses
            ],
            "dead": np.flatnonzero(learner.alive == 0).tolist(),
        }
        text = json.dumps(header).encode()
        maps = encode_map(large) + b"".join(encode_map(unit_map) for unit_map in small)
        self.send(b"b" + struct.pack("<I", len(text)) + text + net.theta.astype("<f8").tobytes() + maps)
        self.losses, self.frame_due = [], False

    def send_json(self, content: dict[str, object]) -> None:
        self.send(b"j" + json.dumps(content).encode())


def run_session(pipe: Connection) -> None:
    """Read messages and send frames until the pipe is closed."""
    session = Session(pipe.send_bytes)
    try:
        while True:
            if pipe.poll(session.wait_s()):
                content = pipe.recv_bytes()
                try:
                    session.handle(Message.model_validate_json(content))
                except ValidationError as error:
                    session.send_json({"error": describe(error.errors(include_url=False))})
                except PipelineError as error:
                    session.send_json({"error": str(error)})
            session.advance()
    except (EOFError, OSError, KeyboardInterrupt):
        pass  # The page or the server was closed.
