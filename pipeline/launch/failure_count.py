"""The number of times that workers of a run may fail: any, if each failure is followed by a newer checkpoint."""

from pathlib import Path
from textwrap import shorten

from pipeline.errors import LaunchError
from pipeline.runs import checkpoints, events

EXIT_DETAIL = "Worker exit detail: "  # in Ray's messages
REASON = 200  # characters of a failure's cause that are shown; the rest is in the run's log.txt
MAX_FAILURES = 3  # without a new checkpoint between them; one more ends the run


class FailureCount:
    """Counts failures since the newest checkpoint.

    Processes that count work on copies of this object: the count is therefore read from the run's event log, which all
    of them append to.
    """

    def __init__(self, run_dir: Path):
        self.run_dir = run_dir
        self.start = events.read(run_dir)[1]  # failures before it are of an earlier driver

    def count(self, who: str, error: object, *, hung: bool = False) -> None:
        """Append a failure to the event log.

        Raises: LaunchError if it is one too many since the newest checkpoint.
        """
        newest = newest_step(self.run_dir)
        earlier = [
            event
            for event in events.read(self.run_dir, self.start)[0]
            if event.get("interrupted") in ("failure", "hang") and event["step"] == newest
        ]
        text = reason(error)
        if len(earlier) >= MAX_FAILURES:
            raise LaunchError(
                f"{self.run_dir.name}: {who} failed for the {len(earlier) + 1}th time without a new checkpoint "
                f"({text}). See {self.run_dir / 'log.txt'}, then `pipeline resume {self.run_dir.name}`."
            )
        verb = "hangs" if hung else "failed"
        self.note("hang" if hung else "failure", f"{who} {verb} ({text}): resuming from step {newest}")

    def note(self, cause: str, text: str) -> None:
        """Append an interruption and its notice to the event log."""
        event_log = events.EventLog(self.run_dir)
        event_log.append(step=newest_step(self.run_dir), interrupted=cause, notice=text)
        event_log.close()


def reason(error: object) -> str:
    """The first words of an error on one line; of a dead process in Ray, those on how it ended."""
    text = " ".join(str(error).split()) or type(error).__name__
    return shorten(text.rpartition(EXIT_DETAIL)[2], REASON, placeholder=" …")


def newest_step(run_dir: Path) -> int:
    """The step that a run resumes from; 0 without a checkpoint."""
    newest = checkpoints.newest(run_dir / "checkpoints")
    return int(newest.name.removeprefix("step-")) if newest else 0
