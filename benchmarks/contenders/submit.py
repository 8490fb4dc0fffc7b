"""`pipeline submit` of a small training to a Ray cluster of this machine: the seconds until each of its phases.

The cluster has a head without CPUs and a node with two. A first job, not counted, warms it up.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
TRAINING = ["data=mnist-5k", "model=cnn", "trainer.max_epochs=2", "trainer.shards=2", "cluster.workers=2"]


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="submit-", ignore_cleanup_errors=True) as folder,
        cluster(Path(folder)) as address,
    ):
        storage = Path(folder) / "storage"
        storage.mkdir()
        (storage / "data").symlink_to(Path.cwd() / "data")
        for _ in range(2):
            figures = measured(address, storage)
    print(json.dumps(figures))


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of a new cluster's dashboard; its processes end with this one's block."""
    port, dashboard, *others = free_ports(4)
    os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0", RAY_agent_register_timeout_ms="120000")
    head = ["--head", f"--port={port}", "--num-cpus=0", f"--dashboard-port={dashboard}", f"--temp-dir={folder}/head"]
    head.append(f"--dashboard-agent-listen-port={others[0]}")
    # With a folder of its own: on a shared one, Ray's agents delete each other's copy of a job's code.
    node = [f"--address=127.0.0.1:{port}", "--num-cpus=2", f"--temp-dir={folder}/node"]
    node.append(f"--dashboard-agent-listen-port={others[1]}")
    started = []
    try:
        for words in (head, node):
            started.append(subprocess.Popen([*RAY, "start", "--block", *words], stdout=subprocess.DEVNULL))
            until_ready(f"127.0.0.1:{port}")
        yield f"http://127.0.0.1:{dashboard}"
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(60)


def until_ready(address: str) -> None:
    """Wait until a head answers."""
    for _ in range(60):
        if (
            subprocess.run([*RAY, "health-check", "--address", address], capture_output=True, check=False).returncode
            == 0
        ):
            return
        time.sleep(1)
    raise SystemExit(f"{address}: no head answers")


def measured(address: str, storage: Path) -> dict[str, Any]:
    """Submit a training and follow it to its end; seconds from the command's start."""
    before = set(storage.glob("runs/*/run.json"))
    command = [sys.executable, "-m", "pipeline", "submit", *TRAINING, "--address", address, "--storage", str(storage)]
    began = time.time()
    lines: dict[str, float] = {}  # the first time of each line, by its first word
    output = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        assert job.stdout
        for line in job.stdout:
            lines.setdefault(line.split()[0] if line.split() else "", time.time() - began)
            output.append(line)
    ended = time.time()
    if job.returncode:
        raise SystemExit(f"exit {job.returncode}: {''.join(output[-30:])}")
    [record] = set(storage.glob("runs/*/run.json")) - before
    events = [json.loads(line) for line in record.with_name("events.jsonl").read_text().splitlines()]
    first = {key: next(event["time"] for event in events if key in event) - began for key in ("workers", "total")}
    return {
        "accepted_s": lines["job"],  # the cluster has the code
        "workers_s": first["workers"],  # all workers have started
        "first_step_s": first["total"],
        "whole_s": ended - began,
        "train_cpu_s": json.loads(record.read_text())["cpu_s"],
    }


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


if __name__ == "__main__":
    main()
