"""Jobs on a cluster, from this machine: submit, list, follow and stop them."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.config import load_config
from pipeline.config.redaction import redact
from pipeline.errors import ConfigError
from pipeline.launch import jobs
from pipeline.runs import provenance
from pipeline.types import Console

VERBS = ("train", "resume", "sweep", "evaluate", "predict", "repro")  # that can be a job
COPIED = ("train", "resume")  # their runs can be copied to an address
ON_CLUSTER = ("train", "repro")  # use its nodes; the others run where the job is started


def submit(
    words: Sequence[str], console: Console, *, address: str, storage: str, root: Path, config_dir: Path | None
) -> str:
    """Check the command here, send code and configuration, start the job there; its name.

    `words` are a verb with its arguments, or the overrides of `train`.

    Raises: ConfigError for a wrong override or a word with a secret; LaunchError if the cluster can't be used.
    """
    verb, rest = (words[0], words[1:]) if words and words[0] in VERBS else ("train", words)
    for word in (*rest, storage):
        if redact(word) != word:
            raise ConfigError(
                f"{redact(word)}: holds a secret, which all who see the cluster's jobs could read. Name a "
                "variable of the cluster's nodes instead: `KEY=${oc.env:NAME}`, in single quotes."
            )
    if verb in ON_CLUSTER:
        rest = ["cluster=ray", "cluster.address=auto", *rest]
    name = load_config(*_overrides(rest), root=root, config_dir=config_dir).name if verb == "train" else verb
    options = ["--config-dir", jobs.CONFIG_DIR] if config_dir else []
    if jobs.is_address(storage):
        if verb not in COPIED:
            raise ConfigError(f"--storage {storage}: {verb} takes a folder of the cluster. Only trainings are copied.")
        options += ["--storage", storage]
    with jobs.packed(root, config_dir) as (folder, size):
        console.print(f"sending     {size / 1e6:.1f} MB of code and configuration, no data")
        for warning in provenance.gaps(root):
            console.print(warning)
        client = jobs.connect(address)
        job = jobs.submit(client, [verb, *options, *rest], folder=folder, storage=storage, experiment=name)
    console.print(f"job         {job}, in {storage} on the cluster")
    return job


def resume(job: str, console: Console, *, address: str, root: Path, allow_drift: bool) -> str:
    """Resume the run of a job that ended early, as a job of its own on the same cluster; its name.

    Raises: LaunchError if the job has no run to resume.
    """
    client = jobs.connect(address)
    run, storage = jobs.resumable(client, jobs.find(client, job))
    words = ["resume", run, *(["--allow-drift"] if allow_drift else [])]
    return submit(words, console, address=address, storage=storage, root=root, config_dir=None)


def _overrides(words: Sequence[str]) -> list[str]:
    """The overrides among a command's words: all up to its first option, and of the others those that set a key."""
    first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return [*words[:first], *(word for word in words[first:] if "=" in word and not word.startswith("-"))]


def follow(job: str, console: Console, *, address: str) -> str:
    """Print a job's output until it ends; its status."""
    client = jobs.connect(address)
    job = jobs.find(client, job)
    for text in jobs.follow(client, job):
        console.print(text.rstrip("\n"))
    return str(client.get_job_status(job).value)


def logs(job: str, *, address: str) -> str:
    """A job's output so far."""
    client = jobs.connect(address)
    return str(client.get_job_logs(jobs.find(client, job)))


def listing(*, address: str) -> list[jobs.JobFacts]:
    """The jobs that were submitted, newest first."""
    return jobs.listing(jobs.connect(address))


def stop(job: str, *, address: str) -> tuple[str, str]:
    """Request a job to store its state and end; its name and status."""
    client = jobs.connect(address)
    job = jobs.find(client, job)
    return job, jobs.stop(client, job)


def next_step(job: str, status: str, address: str) -> str:
    """The next step after `stop`; only a job with status STOPPED has a run to resume."""
    return {
        "STOPPED": f"If it had started to train, its run can be resumed: `pipeline resume {job} --address {address}`.",
        "SUCCEEDED": "It had finished before; there is nothing to resume.",
        "FAILED": f"It had failed before: `pipeline logs {job}` shows why.",
    }.get(status, f"It has not ended yet: `pipeline logs {job} -f` follows it.")
