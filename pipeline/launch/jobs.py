"""Jobs on a cluster: code and configuration are packed and sent, the command runs there and is followed from here."""

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
from typing import Any
from urllib.parse import urlsplit

from pipeline.config import conf_dir
from pipeline.config.source import PACKAGE
from pipeline.errors import LaunchError
from pipeline.launch.auth_token import token_file

LARGEST_BYTES = 5 * 10**6
READY_S = 60  # that a young cluster has to take a job
STOP_S = 60  # that a job has to keep its state before it is killed
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
CONFIG_DIR = "$SENT/config_dir"  # where the user's own configuration is on the cluster
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@contextmanager
def packed(root: Path, config_dir: Path | None) -> Iterator[tuple[Path, int]]:
    """A folder with the package, `conf/` and the user's own configuration, nothing else; and its size in bytes.

    Raises: LaunchError with the size of each folder if it is larger than `LARGEST_BYTES`.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-job-") as made:
        folder = Path(made)
        shutil.copytree(PACKAGE, folder / "pipeline", ignore=LEFT_OUT)
        shutil.copytree(conf_dir(root), folder / "conf", ignore=LEFT_OUT)
        if config_dir:
            shutil.copytree(config_dir, folder / "config_dir", ignore=LEFT_OUT)
        sizes: Counter[str] = Counter()
        for path in folder.rglob("*"):
            if path.is_file():
                sizes["/".join(path.relative_to(folder).parent.parts[:2])] += path.stat().st_size
        if sizes.total() > LARGEST_BYTES:
            listed = "".join(f"\n  {size:12,} bytes  {name}" for name, size in sizes.most_common(10))
            raise LaunchError(
                f"The code and configuration have {sizes.total():,} bytes, more than the {LARGEST_BYTES:,} that are "
                f"sent. Move what is neither out of these folders:{listed}"
            )
        yield folder, sizes.total()


def submit(client: Any, words: Sequence[str], *, folder: Path, storage: str, experiment: str) -> str:
    """Start `pipeline WORDS` in the folder `storage` of the cluster; the job's name.

    Raises: LaunchError if the cluster does not take it.
    """
    name = f"{re.sub(r'[^A-Za-z0-9_-]', '-', experiment)}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    place = shlex.quote(storage) if not storage.startswith("~/") else f"~/{shlex.quote(storage[2:])}"
    said = shlex.join(words).replace(f"'{CONFIG_DIR}'", f'"{CONFIG_DIR}"')
    ends = time.monotonic() + READY_S
    while True:
        try:
            job: str = client.submit_job(
                # exec: the signal that stops the job reaches the command alone. -P: a `pipeline` that lies in the
                # storage (a clone, say) is not taken for the one that was sent.
                entrypoint=f"SENT=$PWD && mkdir -p {place} && cd {place} && exec python -P -m pipeline {said}",
                submission_id=name,
                runtime_env={"working_dir": str(folder), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S)}},
                metadata={"experiment": experiment},
            )
        except RuntimeError as error:
            # A cluster that has just started answers before it can take jobs.
            if "No available agent" not in str(error) or time.monotonic() > ends:
                why = " ".join(str(error).split())[:300]
                raise LaunchError(f"{name}: the cluster did not take the job ({why}). See its dashboard.") from error
            time.sleep(2)
        else:
            return job


def connect(address: str) -> Any:
    """A client of the cluster's dashboard.

    Raises: LaunchError if the address is not fit for a token, or nothing answers there.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LaunchError(f"--address {address}: expected the dashboard's http address, such as http://127.0.0.1:8265.")
    if parts.username or parts.password:
        raise LaunchError(
            "--address: holds a user or password. Put the token into a file and name it in RAY_AUTH_TOKEN_PATH."
        )
    there = token_file() is not None or "RAY_AUTH_TOKEN" in os.environ
    if there:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    elif parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise LaunchError(
            f"--address {address}: is not this machine, and there is no token: who reaches a Ray dashboard runs code "
            "on its cluster. Put the cluster's token into ~/.ray/auth_token (mode 0600), or tunnel: `ssh -L`."
        )
    from ray.job_submission import JobSubmissionClient

    try:
        return JobSubmissionClient(address)
    except (ConnectionError, RuntimeError) as error:
        why = " ".join(str(error).split())[:200]
        raise LaunchError(
            f"--address {address}: no Ray dashboard answers there ({why}). Start a cluster (docs/cluster.md), or "
            "correct the address and the token."
        ) from error


def listing(client: Any) -> list[dict[str, Any]]:
    """The jobs that were submitted, newest first: name, status, started (seconds), command."""
    jobs = [
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


def find(client: Any, name: str) -> str:
    """The full name of the job of that name, an unambiguous start of one, or `latest`.

    Raises: LaunchError if there is none or more than one.
    """
    names = [job["name"] for job in listing(client)]
    if name == "latest" and names:
        return str(names[0])
    matches = [n for n in names if n == name] or [n for n in names if name and n.startswith(name)]
    if len(matches) == 1:
        return str(matches[0])
    found = f"{len(matches)} jobs begin so" if matches else "no such job"
    raise LaunchError(f"{name}: {found}. `pipeline jobs` lists them.")


def follow(client: Any, job: str) -> Iterator[str]:
    """What the job prints, in pieces, until it ends."""
    said = 0
    while True:
        ended = client.get_job_status(job).value in ENDED
        text = client.get_job_logs(job)
        if len(text) > said:
            yield text[said:]
            said = len(text)
        if ended:
            return
        time.sleep(1)


def stop(client: Any, job: str) -> str:
    """Let a job keep its state and end; its status then."""
    client.stop_job(job)
    ends = time.monotonic() + STOP_S + 15
    while (status := str(client.get_job_status(job).value)) not in ENDED and time.monotonic() < ends:
        time.sleep(0.5)
    return status
