"""The Slurm script, run by Slurm: a controller and a node on this machine, with folders and ports of their own."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipeline.runs import checkpoints, lookup

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "infra/slurm/train.sbatch"
MISSING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"Slurm is not installed (Debian: slurm-wlm): no {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons start jobs as root only"),
]
PATIENCE_S = 900  # the machine may be busy
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
FirstJobId={job}
ReturnToService=2
MailProg=/bin/true
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
PartitionName=all Nodes=one Default=YES
"""


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def until(what: Callable[[], bool], why: Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    ends = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < ends, why()
        time.sleep(1)


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Slurm with a node of two CPUs; its commands find it by the environment."""
    folder = Path(tempfile.mkdtemp(prefix="pipeline-slurm-"))
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    job = 1000 + secrets.randbelow(8000)  # Ray's port is made of it
    conf = folder / "slurm.conf"
    conf.write_text(CONFIGURATION.format(host=socket.gethostname(), folder=folder, ports=free_ports(2), job=job))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    daemons = (
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files],
        ["slurmctld", "-D"],
        ["slurmd", "-D", "-N", "one"],
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        with (folder / "log").open("w") as log:
            for words in daemons:
                started.append(subprocess.Popen(words, stdout=log, stderr=log))
                if words[0] == "munged":
                    until((folder / "munge.socket").exists, (folder / "log").read_text, 60)
        until(lambda: said("sinfo", "-h", "-o", "%T %D") == "idle 1\n", (folder / "log").read_text, 120)
        yield
        until(lambda: not said("squeue", "-h"), lambda: said("squeue"), 120)
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(60)
        shutil.rmtree(folder)


def told(project: Path) -> str:
    """What the job and its Ray cluster said."""
    return "\n".join(path.read_text() for path in sorted(project.glob("runs/slurm-*.log")))


def trains(project: Path) -> bool:
    return any('"total"' in path.read_text() for path in project.glob("runs/*/events.jsonl"))


def keeps(project: Path) -> bool:
    return any(project.glob("runs/*/checkpoints/step-*"))


@contextmanager
def submitted(project: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The script on one node: the job's number, and a process that ends with the job, by its exit code."""
    (project / "runs").mkdir()
    waiting = subprocess.Popen(
        ["sbatch", "--wait", "--nodes=1", str(SCRIPT), "experiment=mlp_xor", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiting.stdout
        yield waiting.stdout.readline().split()[-1], waiting
    finally:
        said("scancel", "--user=root")
        waiting.communicate(timeout=120)


def test_a_job_stopped_is_queued_again_and_ends_with_the_model(project: Path, slurm: None) -> None:
    with submitted(project, "trainer.max_epochs=400", "trainer.shards=2") as (job, waiting):
        until(lambda: trains(project) or waiting.poll() is not None, lambda: told(project))
        assert waiting.poll() is None, told(project)
        said("scancel", "--batch", "--signal=TERM", job)  # what `#SBATCH --signal` does before the time is up
        until(lambda: "Restarts=1" in said("scontrol", "show", "job", job), lambda: told(project))
        assert waiting.wait(PATIENCE_S) == 0, told(project)
    shown = said("scontrol", "show", "job", job)
    assert "JobState=COMPLETED" in shown
    [path] = project.glob("runs/*/run.json")  # gone on with, not begun again
    run = json.loads(path.read_text())
    assert (run["status"], run["workers"], run["steps"]) == ("finished", 2, 400)
    assert (path.parent / "model/model.safetensors").is_file()
    assert f"test accuracy  {100 * run['metrics']['test/accuracy']:.2f} %" in told(project)
    assert not (project / f"runs/.ray-token-{job}").exists()
    assert not Path(f"/tmp/ray-{job}").exists()


def test_a_cancelled_job_is_not_queued_again_and_keeps_its_newest_checkpoint(project: Path, slurm: None) -> None:
    with submitted(project, "trainer.max_epochs=100_000", "trainer.checkpoint_every_steps=20") as (job, waiting):
        until(lambda: keeps(project) or waiting.poll() is not None, lambda: told(project))
        assert waiting.poll() is None, told(project)
        said("scancel", job)  # Slurm ends the Ray nodes with it: there is no time to store more
        waiting.wait(PATIENCE_S)
    until(lambda: not said("squeue", "-h"), lambda: told(project), 120)
    shown = said("scontrol", "show", "job", job)
    assert "JobState=CANCELLED" in shown
    assert "Restarts=0" in shown
    run = lookup.find("latest", project)
    assert run["status"] == "interrupted"
    assert checkpoints.newest(Path(run["run_dir"]) / "checkpoints")
