"""Cores and Ray's folder: limits of containers and of sockets' paths."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import LaunchError
from pipeline.launch import cluster, machine


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of eight cores; the folder of this process's cgroup on it."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_own_cgroups", lambda: [tmp_path / "a/b", tmp_path / "a", tmp_path])
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    (tmp_path / "a/b").mkdir(parents=True)
    return tmp_path / "a/b"


@pytest.mark.parametrize(
    ("content", "cores"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8)]
)
def test_a_quota_of_cgroup_2_limits_the_cores(content: str, cores: int, cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text(content + "\n")
    assert machine.available_cores() == cores


def test_a_quota_of_a_parent_or_of_cgroup_1_limits_them_too(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("700000 100000\n")
    (cgroup.parent / "cpu.cfs_quota_us").write_text("300000\n")
    (cgroup.parent / "cpu.cfs_period_us").write_text("100000\n")
    assert machine.available_cores() == 3
    (cgroup.parent / "cpu.cfs_quota_us").write_text("-1\n")
    assert machine.available_cores() == 7


def test_workers_beyond_the_quota_are_refused_with_the_reason(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    (cgroup / "cpu.max").write_text("100000 100000\n")
    with pytest.raises(LaunchError, match=r"needs 2 cores, this machine has 1 \(8 in all, limited by its CPU quota"):
        cluster.check({"workers": 2, "threads_per_worker": 1})


@pytest.mark.skipif(os.geteuid() != 0, reason="cgroups are root's")
def test_a_real_quota_is_read(tmp_path: Path) -> None:
    parents = [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")]
    group = next((parent for parent in parents if (parent / "cgroup.procs").exists()), tmp_path) / f"test-{os.getpid()}"
    script = (
        f"import os, pathlib; pathlib.Path('{group}/cgroup.procs').write_text(str(os.getpid()));"
        "from pipeline.launch.machine import available_cores; print(available_cores())"
    )
    try:
        group.mkdir()
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text("100000 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text("100000")
    except OSError as error:
        pytest.skip(f"no cgroup with a CPU quota here: {error}")
    try:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "1\n"
    finally:
        group.rmdir()


def test_a_folder_too_long_for_rays_sockets_is_refused_with_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray._common.utils import get_default_system_temp_dir

    folder = tmp_path / ("x" * 80)
    folder.mkdir()
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.setenv(name, str(folder))
        assert get_default_system_temp_dir() == str(machine.ray_folder()) == str(folder)
        with pytest.raises(LaunchError, match=r"limit of 107 bytes\. Set RAY_TMPDIR to a path of at most \d+ bytes"):
            cluster.start(1)
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + "x" * (machine.longest_folder() - 5))
    machine.check_ray_folder()
