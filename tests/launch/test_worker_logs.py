"""The logs of a worker that died: those that Ray names by its process, and the ends of long ones."""

from pathlib import Path

import pytest

from pipeline.launch import worker_logs


def test_a_process_has_its_output_and_its_core_log_and_no_other_processes(tmp_path: Path) -> None:
    for name in (
        "worker-abc-01000000-123.out",
        "worker-abc-01000000-123.err",
        "python-core-worker-abc_123.log",
        "worker-def-01000000-1234.out",
        "raylet.out",
    ):
        (tmp_path / name).write_text(name)
    logs = worker_logs.of_process(tmp_path, 123)
    assert {name: content.decode() for name, content in logs.items()} == {
        name: name
        for name in ("worker-abc-01000000-123.out", "worker-abc-01000000-123.err", "python-core-worker-abc_123.log")
    }


def test_of_a_long_log_the_end_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_logs, "MAX_BYTES", 4)
    (tmp_path / "worker-abc-01000000-7.err").write_text("many lines, the end")
    assert worker_logs.of_process(tmp_path, 7) == {"worker-abc-01000000-7.err": b" end"}


def test_each_death_has_a_folder_of_its_own(tmp_path: Path) -> None:
    worker_logs.write(tmp_path, 1, {"worker.err": b"killed"})
    worker_logs.write(tmp_path, 0, {})
    [file] = (tmp_path / "ray-logs").glob("*/*")
    assert file.parent.name.endswith("-worker-1")
    assert file.read_bytes() == b"killed"
