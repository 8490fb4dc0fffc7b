"""Machines that share nothing but a network: network namespaces on one bridge, each with an address and a disk.

A machine can be killed, and its link can be cut: packets are then neither received nor refused.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.launch.nodes import NODE, PATIENCE_S, RAY

NETWORK = "10.77.0"
PORT = 6379


class Machines:
    """A head without CPUs, where the driver runs, and machines that do not see its project folder."""

    def __init__(self, folder: Path, hidden: Path):
        self.folder, self.hidden, self.tag = folder, hidden, f"pipeline{os.getpid()}"
        self.address = f"{NETWORK}.1:{PORT}"
        self.running: list[subprocess.Popen[bytes]] = []
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        self.environment: dict[str, Any] = {
            **NODE,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
        }

    def create_network(self) -> None:
        """Create the network, with the head's machine on it."""
        _ip("netns", "add", self.space(1))
        for words in ("link add br0 type bridge", f"addr add {NETWORK}.1/24 dev br0", "link set br0 up"):
            _ip("-n", self.space(1), *words.split())
        _ip("-n", self.space(1), "link", "set", "lo", "up")

    def start_head(self, *words: str) -> None:
        """Start Ray's head, or start it again."""
        self._ray(1, "--head", f"--port={PORT}", "--num-cpus=0", "--include-dashboard=false", *words)

    def space(self, number: int) -> str:
        """A machine's network namespace."""
        return f"{self.tag}-{number}"

    def cache(self, number: int) -> Path:
        """The cache of data that was sent to a machine."""
        return self.folder / str(number) / "cache"

    def connect(self, number: int) -> None:
        """Connect a new machine to the network."""
        space, end = self.space(number), f"to-{number}"
        _ip("netns", "add", space)
        _ip("link", "add", end, "netns", self.space(1), "type", "veth", "peer", "name", "eth0", "netns", space)
        for words in (f"addr add {NETWORK}.{number}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _ip("-n", space, *words.split())
        for words in (f"link set {end} master br0", f"link set {end} up"):
            _ip("-n", self.space(1), *words.split())

    def start(self, number: int) -> None:
        """Let a machine join, with one CPU."""
        self._ray(number, f"--address={self.address}", "--num-cpus=1")

    def link(self, number: int, state: str) -> None:
        """Cut a machine's link (`down`), or restore it (`up`)."""
        _ip("-n", self.space(1), "link", "set", f"to-{number}", state)

    def kill(self, number: int) -> None:
        """As if the machine lost its power."""
        for pid in _ip("netns", "pids", self.space(number)).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def close(self) -> None:
        """End every process, and take the network away."""
        for line in _ip("netns", "list").splitlines():
            if (space := line.split()[0]).startswith(f"{self.tag}-"):
                self.kill(int(space.rsplit("-", 1)[1]))
                _ip("netns", "delete", space)
        for process in self.running:
            process.wait()

    def inside(self, number: int) -> list[str]:
        """The prefix that makes a command run on a machine."""
        return ["ip", "netns", "exec", self.space(number)]

    def _ray(self, number: int, *words: str) -> None:
        """Start Ray on a machine, and wait until it runs."""
        own = self.folder / str(number)
        shutil.rmtree(own / "ray", ignore_errors=True)
        own.mkdir(exist_ok=True)
        # `ip netns exec` gives mounts of its own: an empty disk in place of the project.
        hide = ["sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(self.hidden)] if number > 1 else []
        command = [*RAY, "start", *words, f"--node-ip-address={NETWORK}.{number}", f"--temp-dir={own}/ray"]
        command += ["--object-store-memory=200000000", "--block", "--disable-usage-stats"]
        interface = "br0" if number == 1 else "eth0"
        places = {"XDG_CACHE_HOME": str(self.cache(number)), "TMPDIR": str(own), "GLOO_SOCKET_IFNAME": interface}
        log, ends = own / f"ray-{time.time_ns()}.log", time.monotonic() + PATIENCE_S
        with log.open("w") as file:
            process = subprocess.Popen(
                [*self.inside(number), *hide, *command],
                env={**os.environ, **self.environment, **places},
                cwd=own,
                stdout=file,
                stderr=file,
            )
        self.running.append(process)
        while "Ray runtime started" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.2)


@contextmanager
def network(hidden: Path) -> Iterator[Machines]:
    """A network with the head's machine alone, which alone sees the folder `hidden`; nothing runs yet."""
    folder = Path(tempfile.mkdtemp(prefix="net-"))  # short: a socket's path has at most 107 bytes
    together = Machines(folder, hidden)
    try:
        together.create_network()
        yield together
    finally:
        together.close()
        shutil.rmtree(folder)


@contextmanager
def machines(hidden: Path, count: int) -> Iterator[Machines]:
    """A head and so many machines; only the head sees the folder `hidden`."""
    with network(hidden) as together:
        together.start_head()
        for number in range(2, 2 + count):
            together.connect(number)
            together.start(number)
        yield together


def impossible() -> str:
    """Why there can be no namespaces here; empty if there can."""
    if os.geteuid():
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need `ip` (Debian: iproute2)"
    name = f"pipeline{os.getpid()}-0"
    words = [["netns", "add", name], ["-n", name, "link", "add", "br0", "type", "bridge"], ["netns", "delete", name]]
    done = [subprocess.run(["ip", *each], capture_output=True, text=True, check=False) for each in words]
    return next((f"no network namespaces here: {each.stderr.strip()}" for each in done if each.returncode), "")


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
