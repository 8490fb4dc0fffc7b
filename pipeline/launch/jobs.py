"""Jobs on a cluster: pack and send code and configuration, start the command there, follow and stop it."""

import json
import os
import re
import shlex
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

from pipeline.config import conf_dirs, packaged_conf
from pipeline.config.redaction import redact
from pipeline.config.source import PACKAGE, PYPROJECT, Project, project_of
from pipeline.errors import LaunchError
from pipeline.launch.auth_token import token_file
from pipeline.runs import provenance

if TYPE_CHECKING:  # takes long to import
    from ray.job_submission import JobSubmissionClient

MAX_BYTES = 5 * 10**6  # of code and configuration
READ_S, CHANGE_S = 10, 60  # the wait for an answer to a request that reads, and to one that changes something
HTTP_FAILED = 500
READY_S = 60  # a new cluster's time to accept a job
STOP_S = 60  # a job's time to store its state before it is killed
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
CONFIG_DIR = "$SENT/config_dir"  # the user's own configuration on the cluster
STORAGE = "storage"  # of a job's facts on the cluster: its folder there, or the address to which its run is copied
FOLDER = "~/lecture-pipeline"  # of a job on the cluster whose storage is an address
RUN_LINE = re.compile(r"^run +(\S+) \(log: ", re.MULTILINE)  # with which a training names its run
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


class JobFacts(TypedDict):
    """A job that was submitted."""

    name: str
    status: str
    started: float  # seconds since 1970
    command: str


@contextmanager
def packed(root: Path, config_dir: Path | None) -> Iterator[tuple[Path, int]]:
    """A temporary folder with the package, its provenance, `conf/`, the project's packages, the user's configuration.

    Returns: the folder, and its size in bytes.

    Raises: LaunchError with the size of each folder if it is larger than `MAX_BYTES`.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-job-") as temporary:
        folder = Path(temporary)
        shutil.copytree(PACKAGE, folder / "pipeline", ignore=IGNORED)
        (folder / "pipeline" / provenance.PROVENANCE).write_text(json.dumps(provenance.provenance(root)))
        if project := project_of(root):
            shutil.copytree(packaged_conf(), folder / "pipeline/conf", ignore=IGNORED, dirs_exist_ok=True)
            _copy_project(project, folder)
        else:
            shutil.copytree(conf_dirs(root)[0], folder / "conf", ignore=IGNORED)
        if config_dir:
            shutil.copytree(config_dir, folder / "config_dir", ignore=IGNORED)
        sizes: Counter[str] = Counter()
        for path in folder.rglob("*"):
            if path.is_file():
                sizes["/".join(path.relative_to(folder).parent.parts[:2])] += path.stat().st_size
        if sizes.total() > MAX_BYTES:
            listed = "".join(f"\n  {size:12,} bytes  {name}" for name, size in sizes.most_common(10))
            raise LaunchError(
                f"The code and configuration have {sizes.total():,} bytes, more than the {MAX_BYTES:,} that are "
                f"sent. Move all other files out of these folders:{listed}"
            )
        yield folder, sizes.total()


def _copy_project(project: Project, folder: Path) -> None:
    """Copy what makes a project: its table in pyproject.toml, its configurations and its packages."""
    shutil.copy(project.root / PYPROJECT, folder / PYPROJECT)
    for name in ("conf", *project.modules):
        if (project.root / name).is_dir():
            shutil.copytree(project.root / name, folder / name, ignore=IGNORED)
        elif (project.root / f"{name}.py").is_file():
            shutil.copy(project.root / f"{name}.py", folder / f"{name}.py")


def submit(client: "JobSubmissionClient", words: Sequence[str], *, folder: Path, storage: str, experiment: str) -> str:
    """Start `pipeline WORDS` in the folder `storage` of the cluster, or of an address in `FOLDER`; the job's name.

    Raises: LaunchError if the cluster does not accept it.
    """
    name = f"{re.sub(r'[^A-Za-z0-9_-]', '-', experiment)}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    place = FOLDER if is_address(storage) else storage
    target = shlex.quote(place) if not place.startswith("~/") else f"~/{shlex.quote(place[2:])}"
    command = shlex.join(words).replace(f"'{CONFIG_DIR}'", f'"{CONFIG_DIR}"')
    ends = time.monotonic() + READY_S
    while True:
        try:
            job: str = client.submit_job(
                # exec: the signal that stops the job reaches the command alone. -P: the `pipeline` that was sent is
                # imported, not one in the storage folder (a clone, say).
                entrypoint=f"SENT=$PWD && mkdir -p {target} && cd {target} && exec python -P -m pipeline {command}",
                submission_id=name,
                runtime_env={"working_dir": str(folder), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S)}},
                metadata={"experiment": experiment, STORAGE: storage},
            )
        except RuntimeError as error:
            # A cluster that has just started responds before it accepts jobs.
            if "No available agent" not in str(error) or time.monotonic() > ends:
                reason = " ".join(str(error).split())[:300]
                raise LaunchError(f"{name}: the cluster refused the job ({reason}). See its dashboard.") from error
            time.sleep(2)
        else:
            return job


def is_address(storage: str) -> bool:
    """Whether a job's storage is an address, such as s3://BUCKET/PREFIX, rather than a folder of the cluster."""
    return "://" in storage


def connect(address: str) -> "JobSubmissionClient":
    """A client of the cluster's dashboard.

    Raises: LaunchError if the address may not get a token, or no dashboard answers there.
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # http://[::1:8265
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LaunchError(
            f"--address {redact(address)}: expected the dashboard's http address, such as http://127.0.0.1:8265."
        )
    if parts.username or parts.password:
        raise LaunchError(
            "--address: holds a user or password. Put the token into a file and name it in RAY_AUTH_TOKEN_PATH."
        )
    if token_file() is not None or "RAY_AUTH_TOKEN" in os.environ:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    elif parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise LaunchError(
            f"--address {address}: is not this machine, and there is no token: whoever reaches a Ray dashboard runs "
            "code on its cluster. Put the cluster's token into ~/.ray/auth_token (mode 0600), or tunnel: `ssh -L`."
        )
    try:
        client = _client_class()(address)
        client.list_jobs()  # with the token, and from the head: the dashboard's own pages need neither
    except (OSError, RuntimeError, ValueError) as error:  # another program, or another version of Ray
        raise _no_dashboard(address, error) from error
    return client


def _no_dashboard(address: str, error: Exception) -> LaunchError:
    reason = " ".join(str(error).split())[:200]
    return LaunchError(
        f"--address {address}: no Ray dashboard answers there, or its head is gone ({reason}). Start a cluster "
        "(docs/how-to/cluster.md), or correct the address."
    )


def _client_class() -> "type[JobSubmissionClient]":
    """Ray's client, with limits of time and errors of one line."""
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):  # type: ignore[misc]
        def _do_request(self, method: str, endpoint: str, **words: object) -> Any:
            try:
                reply = super()._do_request(method, endpoint, timeout=READ_S if method == "GET" else CHANGE_S, **words)
            except AuthenticationError as error:
                raise LaunchError(
                    f"--address {self._address}: the cluster refuses this token. Put the cluster's token into "
                    "~/.ray/auth_token (mode 0600), or set RAY_AUTH_TOKEN_PATH to its file."
                ) from error
            except OSError as error:
                raise _no_dashboard(self._address, error) from error
            if method == "GET" and reply.status_code >= HTTP_FAILED:
                raise LaunchError(
                    f"--address {self._address}: the dashboard answers with status {reply.status_code}. Does the "
                    "cluster's head still run?"
                )
            return reply

    return Client


def listing(client: "JobSubmissionClient") -> list[JobFacts]:
    """The jobs that were submitted, newest first: name, status, started (seconds), command."""
    jobs: list[JobFacts] = [
        {
            "name": job.submission_id,
            "status": job.status.value,
            "started": (job.start_time or 0) / 1000,
            "command": job.entrypoint.partition("-m pipeline ")[2] or job.entrypoint,
        }
        for job in client.list_jobs()
        if job.submission_id
    ]
    return sorted(jobs, key=lambda job: job["started"], reverse=True)


def find(client: "JobSubmissionClient", name: str) -> str:
    """The full name of a job, by its name, an unambiguous prefix of it, or `latest`.

    Raises: LaunchError if no job or more than one matches.
    """
    names = [job["name"] for job in listing(client)]
    if name == "latest" and names:
        return str(names[0])
    matches = [n for n in names if n == name] or [n for n in names if name and n.startswith(name)]
    if len(matches) == 1:
        return str(matches[0])
    if not matches:
        raise LaunchError(f"No such job: {name!r}. `pipeline jobs` lists them.")
    shown = ", ".join(matches[:5]) + (", …" if len(matches) > 5 else "")
    raise LaunchError(f"Ambiguous job name {name!r}: {len(matches)} jobs match ({shown}). Type more of it.")


def resumable(client: "JobSubmissionClient", job: str) -> tuple[str, str]:
    """The run that a job trained, and the folder on the cluster where it is.

    Raises: LaunchError if the job has not ended, has finished, or did not begin to train.
    """
    facts = client.get_job_info(job)
    status = facts.status.value
    if status == "SUCCEEDED" or status not in ENDED:
        raise LaunchError(f"{job}: is {status}. Only a stopped or failed job can be resumed.")
    runs = RUN_LINE.findall(client.get_job_logs(job))
    if not runs:
        raise LaunchError(f"{job}: its log names no run, so there is nothing to resume. See `pipeline logs {job}`.")
    return runs[-1], facts.metadata[STORAGE]


def follow(client: "JobSubmissionClient", job: str) -> Iterator[str]:
    """Yield what a job prints, as it does, until it ends."""
    length = 0
    while True:
        ended = client.get_job_status(job).value in ENDED
        text = client.get_job_logs(job)
        if len(text) > length:
            yield text[length:]
            length = len(text)
        if ended:
            return
        time.sleep(1)


def stop(client: "JobSubmissionClient", job: str) -> str:
    """Request a job to store its state and end; its status once it has, or after `STOP_S` and some seconds."""
    client.stop_job(job)
    ends = time.monotonic() + STOP_S + 15
    while (status := str(client.get_job_status(job).value)) not in ENDED and time.monotonic() < ends:
        time.sleep(0.5)
    return status
