"""Bring a run from its storage to this machine, where its folder is not."""

from pathlib import Path

from pipeline.config import check_name
from pipeline.errors import LaunchError
from pipeline.runs import lookup, records, storage
from pipeline.tracking.upload_queue import STATE
from pipeline.types import Console

SHOWN = 5  # names of runs in an error


def fetch(run: str, uri: str, console: Console, *, root: Path) -> bool:
    """Copy the run of exactly this name from its storage, unless it is here; whether it is here now.

    Raises: ConfigError or LaunchError if the storage can't be used.
    """
    check_name("run", run)
    if lookup.named(run, root):
        return True
    if not storage.fetch(storage.connect(uri), run, root):
        return False
    run_dir = root / "runs" / run
    if records.config(run_dir)["tracking"]["uri"].startswith("sqlite:"):  # lost with its machine: all is sent again
        (run_dir / STATE).unlink(missing_ok=True)
    console.print(f"fetched     {run} from {uri}")
    return True


def provide(run: str, uri: str, console: Console, *, root: Path) -> None:
    """Copy a run from its storage if no run here matches.

    Raises: ConfigError or LaunchError if the storage can't be used, or has no run of this name.
    """
    try:
        lookup.find(run, root)
    except LaunchError as error:
        if not fetch(run, uri, console, root=root):
            names = storage.connect(uri).names()
            more = ", …" if len(names) > SHOWN else ""
            held = f"It holds {', '.join(names[-SHOWN:])}{more}: type a whole name." if names else "It is empty."
            raise LaunchError(f"{error} Nor does {uri} hold this run. {held}") from error
