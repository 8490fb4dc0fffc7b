"""Private clusters, addresses without a cluster, and clusters without room."""

import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_config, resolve
from pipeline.errors import LaunchError
from pipeline.launch import batch, cluster, head, machine
from pipeline.launch.placement import resolve_workers


class Started(Exception):
    """Raised in the place of Ray's start, with what it was given."""


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the token of a user without one would be; Ray does not start."""

    def init(**given: Any) -> None:
        raise Started(given)

    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("ray.init", init)
    return tmp_path / "token"


def of_a_group() -> None:
    cluster.start(2)


def of_a_large_prediction() -> None:
    next(batch.predict_chunks(Path("model"), [None]))  # type: ignore[list-item]


@pytest.mark.parametrize("begin", [of_a_group, of_a_large_prediction])
def test_a_private_cluster_has_a_private_token_and_no_dashboard_whatever_ray_address_names(
    begin: Callable[[], None], token: Path
) -> None:
    with pytest.raises(LaunchError) as error:
        begin()
    assert isinstance(error.value.__cause__, Started)
    (given,) = error.value.__cause__.args
    assert (given["address"], given["include_dashboard"]) == ("local", False)
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert len(token.read_text()) >= 32


def test_ray_is_not_started_where_it_finds_no_room(disk: Path, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(disk))
    monkeypatch.setattr(machine, "SOCKET_BYTES", 1000)  # the disk has a long path
    with pytest.raises(LaunchError, match=rf"{disk}: 8,388,608 bytes free, and Ray .* set RAY_TMPDIR"):
        cluster.start(2)
    assert not token.exists()


def test_a_job_uses_its_own_cluster_where_another_one_started_later_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray/ray_current_cluster").write_text("10.0.0.1:2")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:1")  # as Ray sets it in a job
    assert head.resolve("auto") == "10.0.0.1:1"
    monkeypatch.delenv("RAY_ADDRESS")
    assert head.resolve("auto") == "10.0.0.1:2"
    assert head.resolve("10.0.0.1:3") == "10.0.0.1:3"


@pytest.mark.parametrize("address", ["10.0..5:6379", f"127.0.0.1:{10**30}", "127.0.0.1:²"])
def test_an_address_that_no_machine_can_have_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(LaunchError, match="no Ray cluster answers there"):
        head.connect(address)


def test_an_ended_session_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray/ray_current_cluster").write_text("127.0.0.1:1\n")  # Ray leaves its note behind when it is killed
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(LaunchError, match=r"cluster.address=127.0.0.1:1: no Ray cluster answers there.*ray start"):
        cluster.check({"address": "auto", "workers": 2, "threads_per_worker": 1})
    (tmp_path / "ray/ray_current_cluster").unlink()
    with pytest.raises(LaunchError, match="Ray does not run on this machine"):
        cluster.check({"address": "auto", "workers": 2, "threads_per_worker": 1})


def test_a_head_that_accepts_connections_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(LaunchError, match=rf"{address}: no Ray cluster answers there .*no answer came in 0.1 s"):
            cluster.check({"address": address, "workers": 1, "threads_per_worker": 1})


def on(monkeypatch: pytest.MonkeyPatch, *nodes: dict[str, float]) -> None:
    """A connected cluster with these nodes."""
    listed = [{"NodeID": str(number), "Alive": True, "Resources": node} for number, node in enumerate(nodes)]
    monkeypatch.setattr("ray.nodes", lambda: listed)
    monkeypatch.setattr(cluster, "draining", set)


def test_a_cluster_without_room_is_described_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    configured = {"workers": 2, "threads_per_worker": 1, "gpus_per_worker": 0}
    on(monkeypatch, {}, {"CPU": 1.0})
    assert cluster.room(configured) == 1
    assert cluster.shortage(configured) == (
        "cluster.workers=2: no room for workers of 1 CPU each: the cluster has 1 CPU on 1 node, room for 1 of them. "
        "Add nodes, or use cluster.workers=1."
    )
    on(monkeypatch, {"CPU": 1.0}, {"CPU": 3.0})
    large = {**configured, "threads_per_worker": 4, "gpus_per_worker": 1}
    assert cluster.room(large) == 0
    assert cluster.shortage(large).endswith("or lower what each worker gets (cluster.*_per_worker).")


def test_the_default_of_an_existing_cluster_fits_one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve(load_config("experiment=mlp_xor", "trainer.shards=4", "cluster=ray", "cluster.address=auto"))
    configured = {**config["cluster"], "workers": resolve_workers(config), "gpus_per_worker": 0}
    on(monkeypatch, {}, {"CPU": 1.0})
    assert cluster.worker_range(configured) == (1, 4)
    assert cluster.room(configured) == 1
