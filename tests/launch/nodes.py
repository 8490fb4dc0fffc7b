"""Several Ray nodes on this machine, and a run of the command on them whose processes can be killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from ray.util import get_node_ip_address

from pipeline.launch.cluster import HEALTH, START
from pipeline.runs import events
from pipeline.types import Event

# Enough steps to be hurt in the middle of, in epochs that each leave a checkpoint.
SAMPLE = [
    "data=mnist-5k",
    "data.augment=null",
    "data.batch_size=200",
    "trainer.shards=2",
    "trainer.ema_decay=null",
    "trainer.checkpoint_every_s=0",
]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
NODE = {**START, **{name: value for name, value in HEALTH.items() if name.startswith("RAY_health")}}
PATIENCE_S = 400  # the machine may be busy


class Nodes:
    """A cluster of raylets in processes of their own: a head without CPUs, and nodes that can come and go."""

    def __init__(self, **head: Any):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **head})
        self.address: str = self.cluster.address

    def add(self, cpus: int = 1, **options: Any) -> Any:
        # Each node unpacks what a job was sent into a folder of its own, as each machine does: in a folder that they
        # share, one node removes the code that another runs.
        apart = f"runtime_resources_{uuid.uuid4().hex[:8]}"
        return self.cluster.add_node(num_cpus=cpus, runtime_env_dir_name=apart, **options)

    def kill(self, node: Any) -> None:
        """As if the machine lost its power."""
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        for process in [raylet, *raylet.children(recursive=True)]:
            process.kill()

    def kill_head(self) -> None:
        """The head's every process, at once."""
        for kind in self.cluster.head_node.all_processes.values():
            for info in kind:
                info.process.kill()

    def drain(self, node: Any, within_s: int = 120) -> None:
        """Drain a node, as a cloud does before it reclaims a machine."""
        words = ["drain-node", "--address", self.address, "--node-id", node.node_id, "--deadline-remaining-seconds"]
        reason = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot"]
        subprocess.run([*RAY, *words, str(within_s), *reason], check=True, capture_output=True)

    def close(self) -> None:
        self.cluster.shutdown()


@contextmanager
def nodes(*cpus: int, **head: Any) -> Iterator[Nodes]:
    """A head and a node for each number of CPUs."""
    before = {name: os.environ.get(name) for name in NODE}
    os.environ.update(NODE)
    cluster = Nodes(**head)
    try:
        for count in cpus:
            cluster.add(count)
        yield cluster
    finally:
        cluster.close()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


class Autoscaled:
    """A cluster whose nodes of one CPU are started and ended by Ray's autoscaler, as processes of this machine."""

    def __init__(self, least: int, most: int):
        folder = Path(tempfile.mkdtemp(prefix="fake-"))  # short: a socket's path has at most 107 bytes
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address, self.folder = f"{get_node_ip_address()}:{port}", folder
        node = {"resources": {"CPU": 1}, "node_config": {}}
        config = {
            "cluster_name": "fake",
            "max_workers": most,
            "idle_timeout_minutes": 0.5,
            "upscaling_speed": 1.0,
            "provider": {
                "type": "fake_multinode",
                "gcs_address": self.address,
                "disable_node_updaters": True,
                "use_node_id_as_ip": True,
                "disable_launch_config_check": True,
            },
            "available_node_types": {
                "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
                "worker": {**node, "min_workers": least, "max_workers": most},
            },
            "head_node_type": "ray.head.default",
            **{key: {} for key in ("auth", "docker", "file_mounts")},
            **{key: [] for key in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
            "file_mounts_sync_continuously": False,
            **{f"{kind}_commands": [] for kind in ("initialization", "setup", "head_setup", "worker_setup")},
            **{f"{kind}_start_ray_commands": [] for kind in ("head", "worker")},
        }
        (folder / "autoscaler.json").write_text(json.dumps(config))
        command = [*RAY, "start", "--head", "--num-cpus=0", f"--port={port}", "--block"]
        command += [f"--temp-dir={folder}", "--include-dashboard=false", "--disable-usage-stats"]
        command += ["--object-store-memory=100000000", f"--autoscaling-config={folder / 'autoscaler.json'}"]
        environment = {**os.environ, **START, "RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
        environment["RAY_AUTH_MODE"] = "disabled"
        self.log = (folder / "head.log").open("w")
        self.process = subprocess.Popen(
            command, env=environment, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def size(self) -> int:
        """The number of nodes with a CPU that are alive."""
        code = "import ray; ray.init(log_to_driver=False); print(int(ray.cluster_resources().get('CPU', 0)))"
        environment = {**os.environ, "RAY_ADDRESS": self.address}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        return int(done.stdout) if done.returncode == 0 else -1

    def until_size(self, size: int) -> None:
        ends = time.monotonic() + PATIENCE_S
        while self.size() != size:
            assert time.monotonic() < ends, f"not {size} nodes within {PATIENCE_S} s"

    def close(self) -> None:
        """End every process of the cluster, which all name its folder."""
        for _ in range(2):  # the autoscaler may start one meanwhile
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    if str(self.folder) in " ".join(process.cmdline()) or process.pid == self.process.pid:
                        process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def autoscaled(least: int, most: int) -> Iterator[Autoscaled]:
    """A head without CPUs, and from `least` to `most` nodes, as work asks for them."""
    cluster = Autoscaled(least, most)
    try:
        cluster.until_size(least)
        yield cluster
    finally:
        cluster.close()


class Job:
    """`pipeline …` in a process of its own, and the events and the record of its run."""

    def __init__(
        self, project: Path, *words: str, cwd: Path | None = None, prefix: Sequence[str] = (), **environment: str
    ):
        self.project = project
        self.before = set(project.glob("runs/*/run.json"))
        self.log = ((cwd or project) / f"job-{time.time_ns()}.txt").open("w+")
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "pipeline", *words],
            cwd=cwd or project,
            env={**os.environ, **environment},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    @property
    def run_dir(self) -> Path | None:
        new = set(self.project.glob("runs/*/run.json")) - self.before
        return next(iter(new)).parent if new else None

    def events(self) -> list[Event]:
        return events.read(self.run_dir)[0] if self.run_dir else []

    def until(self, what: Callable[[list[Event]], Any], patience_s: float = PATIENCE_S) -> Any:
        """The first true value of `what(events)`."""
        ends = time.monotonic() + patience_s
        while time.monotonic() < ends:
            if found := what(self.events()):
                return found
            assert self.process.poll() is None, self.output()
            time.sleep(0.2)
        raise AssertionError(f"nothing of the kind within {patience_s} s: {self.output()}\n{self.events()[-5:]}")

    def until_step(self, step: int) -> dict[str, Any]:
        found: dict[str, Any] = self.until(
            lambda events: next((e for e in events if "total" in e and e["step"] >= step), None)
        )
        return found

    def end(self, patience_s: float = PATIENCE_S) -> int:
        code = self.process.wait(patience_s)
        self.log.seek(0)
        return code

    def output(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()

    def record(self) -> dict[str, Any]:
        assert self.run_dir
        record: dict[str, Any] = json.loads((self.run_dir / "run.json").read_text())
        return record

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextmanager
def job(
    project: Path, *words: str, cwd: Path | None = None, prefix: Sequence[str] = (), **environment: str
) -> Iterator[Job]:
    """A command, perhaps after another that runs it (`prefix`); the runs it makes are those of `project`."""
    running = Job(project, *words, cwd=cwd, prefix=prefix, **environment)
    try:
        yield running
    finally:
        running.close()


def workers(under: int | None = None) -> list[psutil.Process]:
    """The processes of Ray Train's workers below a process (this one by default), in the order of their start."""
    return actors("RayTrainWorker", under)


def actors(name: str, under: int | None = None) -> list[psutil.Process]:
    """The processes of a class of actors below a process (this one by default), in the order of their start."""
    found = []
    for process in psutil.Process(under or os.getpid()).children(recursive=True):
        try:
            if f"ray::{name}" in "".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return sorted(found, key=lambda process: process.create_time())


def hurt(process: psutil.Process, how: signal.Signals) -> float:
    """Send a signal; when."""
    os.kill(process.pid, how)
    return time.time()
