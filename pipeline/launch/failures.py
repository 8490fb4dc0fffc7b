"""How often a run's workers may fail: as often as they like, if each time there is a newer checkpoint."""

from pathlib import Path

from pipeline.errors import LaunchError
from pipeline.runs import checkpoints
from pipeline.runs.events import EventLog

PATIENCE = 3  # failures without a new checkpoint between them; the next ends the run


class FailureCount:
    """Counts failures since the newest checkpoint, and logs each in the run's events."""

    def __init__(self, run_dir: Path):
        self.run_dir, self.step, self.failures = run_dir, -1, 0

    def count(self, who: str, error: object, *, hung: bool = False) -> None:
        """Log a failure that the run recovers from.

        Raises: LaunchError if this is one failure too many since the newest checkpoint.
        """
        newest = newest_step(self.run_dir)
        self.failures = self.failures + 1 if newest == self.step else 1
        self.step = newest
        text = " ".join(str(error).split())[:300]
        if self.failures > PATIENCE:
            raise LaunchError(
                f"{self.run_dir.name}: {who} failed for the {self.failures}th time without a new checkpoint ({text}). "
                f"See {self.run_dir / 'log.txt'}, then `pipeline resume {self.run_dir.name}`."
            )
        verb = "hangs" if hung else "failed"
        self.note("hang" if hung else "failure", f"{who} {verb}: resuming from step {newest}")

    def note(self, cause: str, text: str) -> None:
        """Log why the workers start again."""
        event_log = EventLog(self.run_dir)
        event_log.append(step=newest_step(self.run_dir), interrupted=cause, notice=text)
        event_log.close()


def newest_step(run_dir: Path) -> int:
    """The step that a run resumes from; 0 without a checkpoint."""
    newest = checkpoints.newest(run_dir / "checkpoints")
    return int(newest.name.removeprefix("step-")) if newest else 0
