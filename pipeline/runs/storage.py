"""Copies of runs that outlive their machine, on object storage (s3://BUCKET/PREFIX) or a shared folder (file:///…).

The driver copies what has changed in the run's folder after each new checkpoint and at the end. A checkpoint's manifest
is copied last, after the events that led to it: one whose copy was cut off does not verify, and a resumed run uses the
one before it.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.config.redaction import redact
from pipeline.errors import ConfigError, LaunchError
from pipeline.files import atomic_folder
from pipeline.runs import checkpoints, events, records
from pipeline.runs.records import RECORD
from pipeline.runs.repeat import repeating

if TYPE_CHECKING:  # takes long to import
    from pyarrow.fs import FileSystem

POLL_S = 1.0  # between two looks for a new checkpoint
CONNECT_S, STALL_S, TRIES = 3.0, 4.0, 2  # of a request; each new checkpoint is another try
CHUNK = 1 << 20
SKIPPED = ("ray", "stop")  # Ray's own files, a request to stop; and hidden files, which are locks and temporary
LAST = (events.NAME, RECORD, checkpoints.MANIFEST)  # after all others, in this order

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Storage:
    """A folder on a file system that other machines reach."""

    uri: str
    files: "FileSystem"
    folder: str

    def names(self) -> list[str]:
        """The names of the runs."""
        from pyarrow.fs import FileSelector

        with self.translated_errors():
            found = self.files.get_file_info(FileSelector(self.folder, allow_not_found=True))
        return sorted(info.base_name for info in found)

    def listing(self, run: str) -> dict[str, str]:
        """The paths of the files of a run's copy, by their names in the run's folder."""
        from pyarrow.fs import FileSelector

        top = f"{self.folder}/{run}"
        found = self.files.get_file_info(FileSelector(top, recursive=True, allow_not_found=True))
        return {info.path.removeprefix(f"{top}/"): info.path for info in found if info.is_file}

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raises: LaunchError for the errors of a file system."""
        try:
            yield
        except OSError as error:
            raise LaunchError(
                f"--storage {self.uri}: can't be used ({reason(error)}). Correct the address, AWS_ENDPOINT_URL, "
                "AWS_REGION or the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from error


def connect(uri: str) -> Storage:
    """Check an address, and that its bucket or folder answers.

    Raises: ConfigError if it is not an address; LaunchError if it can't be used.
    """
    from pyarrow.fs import AwsStandardS3RetryStrategy, FileType, LocalFileSystem, S3FileSystem

    if redact(uri) != uri:
        raise ConfigError(f"--storage {redact(uri)}: holds a secret. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    try:
        parts = urlsplit(uri)
    except ValueError:  # s3://[x
        parts = urlsplit("")
    if parts.scheme not in ("s3", "file") or (parts.scheme == "s3") != bool(parts.netloc) or parts.query:
        raise ConfigError(f"--storage {uri}: expected s3://BUCKET/PREFIX, or file:///FOLDER of a shared folder.")
    if parts.scheme == "s3":
        found = S3FileSystem(
            endpoint_override=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
            connect_timeout=CONNECT_S,
            request_timeout=STALL_S,
            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=TRIES),
        )
    else:
        found = LocalFileSystem()
    storage = Storage(uri, found, f"{parts.netloc}{parts.path}".rstrip("/"))
    top = parts.netloc or storage.folder
    with storage.translated_errors():
        if found.get_file_info(top).type == FileType.NotFound:
            raise FileNotFoundError(f"there is no {top}: create it")
    return storage


def fetch(storage: Storage, name: str, root: Path) -> bool:
    """Copy a run's folder from a storage to this machine; False if it holds no such run.

    Raises: LaunchError if the storage fails.
    """

    def write(aside: Path) -> None:
        for file, path in listed.items():
            target = aside / file
            if not target.resolve().is_relative_to(aside.resolve()):
                raise LaunchError(f"{storage.uri}: {path} is not the name of a run's file. Remove it there.")
            target.parent.mkdir(parents=True, exist_ok=True)
            with storage.files.open_input_stream(path) as there, target.open("wb") as here:
                shutil.copyfileobj(there, here, CHUNK)

    with storage.translated_errors():
        listed = storage.listing(name)
        if RECORD not in listed:
            return False
        (root / "runs").mkdir(parents=True, exist_ok=True)
        atomic_folder(root / "runs" / name, write)
    return True


@contextmanager
def copied(run_dir: Path, uri: str | None, print_line: Callable[[str], None]) -> Iterator[AbstractContextManager[None]]:
    """Copy a run's folder to its storage at the start and at the end of the block, if it has one.

    Yields: a context in which each new checkpoint is copied, by a thread.
    Raises: LaunchError at the start if the storage can't be used, or its copy is further ahead; a later failure is
    printed, and training continues.
    """
    if uri is None:
        yield nullcontext()
        return
    copy = RunCopy(run_dir, connect(uri), print_line)
    with copy.storage.translated_errors():
        copy.update()
    try:
        yield copy.following()
    finally:
        copy.attempt()


class RunCopy:
    """The copy of a run's folder on a storage."""

    def __init__(self, run_dir: Path, storage: Storage, print_line: Callable[[str], None]):
        self.run_dir, self.storage, self.print_line = run_dir, storage, print_line
        self.stamps: dict[str, Stamp] | None = None  # of what was copied; None before the first time
        self.failing = False

    def update(self) -> None:
        """Copy the files that have changed, and remove those that are gone.

        Raises: OSError if the storage fails; LaunchError the first time if the copy is further ahead.
        """
        if self.stamps is None:
            listed = self.storage.listing(self.run_dir.name)
            self.check_older(listed)
            self.stamps = dict.fromkeys(listed, (0, 0))
        present = stamps(self.run_dir)
        for name in sorted(present, key=turn):
            if self.stamps.get(name) != present[name]:
                self.send(name)
                self.stamps[name] = present[name]
        kept = {parent for name in present for parent in Path(name).parents}
        for name in [name for name in self.stamps if name not in present]:
            self.remove(Path(name), whole=Path(name).parent not in kept)
            del self.stamps[name]

    def check_older(self, listed: dict[str, str]) -> None:
        """Raises: LaunchError if the copy is further ahead, as where the run went on elsewhere."""
        there, here = newest_step(listed), newest_step(stamps(self.run_dir))
        finished = self.finished(listed) and records.read(self.run_dir)["status"] != "finished"
        if finished or there > here:
            found = "finished" if finished else f"at step {there}"
            raise LaunchError(
                f"{self.run_dir.name}: its copy in {self.storage.uri} is {found}, {self.run_dir} only at step {here}: "
                "the run went on elsewhere. Move that folder away, then repeat the command with "
                f"--storage {self.storage.uri}, which fetches the copy."
            )

    def finished(self, listed: dict[str, str]) -> bool:
        """Whether the run of the copy is finished."""
        if RECORD not in listed:
            return False
        with self.storage.files.open_input_stream(listed[RECORD]) as there, suppress(ValueError):  # torn
            return bool(json.loads(there.read())["status"] == "finished")
        return False

    def send(self, name: str) -> None:
        """Copy a file, unless it is gone: checkpoints are pruned."""
        from pyarrow.fs import LocalFileSystem

        target = f"{self.storage.folder}/{self.run_dir.name}/{name}"
        with suppress(FileNotFoundError), (self.run_dir / name).open("rb") as here:
            if isinstance(self.storage.files, LocalFileSystem):  # object storage has no folders
                self.storage.files.create_dir(target.rpartition("/")[0])
            with self.storage.files.open_output_stream(target) as there:
                shutil.copyfileobj(here, there, CHUNK)

    def remove(self, name: Path, *, whole: bool) -> None:
        """Remove a file from the copy, or with `whole` the folder that it was in."""
        place = Path(self.storage.folder, self.run_dir.name, name)
        with suppress(FileNotFoundError):
            if whole:  # `delete_file` would leave an object that marks the empty folder
                self.storage.files.delete_dir(str(place.parent))
            else:
                self.storage.files.delete_file(str(place))

    def attempt(self) -> bool:
        """Update the copy; False and a printed line if the storage fails."""
        try:
            self.update()
        except OSError as error:
            if not self.failing:
                self.print_line(
                    f"WARNING     {self.storage.uri} does not take the run's newest state: {reason(error)}. "
                    "Training continues; each new checkpoint and the end are another try."
                )
            self.failing = True
        else:
            if self.failing:
                self.print_line(f"storage     {self.storage.uri} responds again")
            self.failing = False
        return not self.failing

    @contextmanager
    def following(self) -> Iterator[None]:
        """Update the copy after each new checkpoint while the block runs."""
        known = manifests(self.stamps or {})

        def look() -> None:
            nonlocal known
            if (found := manifests(stamps(self.run_dir))) != known:
                self.attempt()
                known = found

        with repeating(look, POLL_S, "storage"):
            yield


def stamps(run_dir: Path) -> dict[str, Stamp]:
    """The size and the time of change of each file of a run that is copied, by its name in the run's folder."""
    found: dict[str, Stamp] = {}
    for folder, folders, files in os.walk(run_dir):
        folders[:] = [name for name in folders if name[0] != "." and name not in SKIPPED]
        for name in files:
            path = Path(folder, name)
            if name[0] != "." and name not in SKIPPED:
                with suppress(FileNotFoundError):  # pruned meanwhile
                    facts = path.stat()
                    found[str(path.relative_to(run_dir))] = (facts.st_size, facts.st_mtime_ns)
    return found


def turn(name: str) -> tuple[int, str]:
    """The place of a file among those that are copied."""
    last = Path(name).name
    return LAST.index(last) + 1 if last in LAST else 0, name


def manifests(files: dict[str, Stamp]) -> dict[str, Stamp]:
    """Those of a run's files that are checkpoints' manifests."""
    return {name: stamp for name, stamp in files.items() if name.endswith(checkpoints.MANIFEST)}


def newest_step(files: Iterable[str]) -> int:
    """The step of the newest checkpoint among a run's files; 0 without one."""
    folders = [Path(name).parent for name in files if Path(name).match(f"checkpoints/step-*/{checkpoints.MANIFEST}")]
    return max((int(folder.name.removeprefix("step-")) for folder in folders), default=0)


def reason(error: OSError) -> str:
    """An error of a file system in one short line without secrets."""
    return redact(" ".join(str(error).split()).partition(" (Request ID")[0])[:300]
