"""Writes that are whole or absent, locks that looking can't disturb."""

import errno
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import files


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def temporary(name: str, pid: int, host: str | None = None) -> str:
    return f".{name}.{host or os.uname().nodename.replace('.', '_')}-{pid}-0123abcd.tmp"


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.atomic_write(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.atomic_write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_as_utf_8_and_bytes_as_they_are(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "text", "ä\n")
    files.atomic_write(tmp_path / "bytes", b"\xff")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa4\n"
    assert (tmp_path / "bytes").read_bytes() == b"\xff"


def test_the_next_writer_removes_what_a_crash_left_of_its_target_and_nothing_that_is_being_written(
    tmp_path: Path,
) -> None:
    left = temporary("file", dead_pid())
    others = {temporary("file", os.getppid()), temporary("file", 1, "elsewhere"), temporary("other", dead_pid())}
    for name in (left, *others):
        (tmp_path / name).write_text("half")
    with files.temporary(tmp_path / "file") as aside:
        aside.write_text("being written by another thread")
        files.atomic_write(tmp_path / "file", "new")
        assert {path.name for path in tmp_path.iterdir()} == {"file", aside.name, *others}


def test_a_temporary_of_another_machine_is_left_behind_once_it_is_a_day_old(tmp_path: Path) -> None:
    path = tmp_path / temporary("file", os.getpid(), "elsewhere")
    path.write_text("half")
    assert files.leftovers(tmp_path) == []
    os.utime(path, (0, 0))
    assert files.leftovers(tmp_path) == [path]


def test_two_writers_of_one_folder_both_succeed(tmp_path: Path) -> None:
    problems: list[BaseException] = []

    def fill(aside: Path) -> None:
        (aside / "one").write_text("1")

    def write(number: int) -> None:
        try:
            for _ in range(50):
                files.atomic_folder(tmp_path / "folder", fill)
        except BaseException as error:
            problems.append(error)

    in_threads(write, 3)
    assert problems == []
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_lock_that_is_held_is_seen_and_refused_also_within_a_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not files.is_locked(path)
    with files.file_lock(path, 0):
        assert files.is_locked(path)
        assert files.is_locked(path)  # the first look has not dropped it
        with pytest.raises(files.LockHeldError, match="another process holds it"), files.file_lock(path, 0.05):
            pass
    assert not files.is_locked(path)


def _look(path: Path, started: Any) -> None:
    while True:
        files.is_locked(path)
        started.set()


def test_who_takes_a_lock_never_fails_because_others_look_at_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    processes = multiprocessing.get_context("spawn")
    started = [processes.Event() for _ in range(2)]
    lookers = [processes.Process(target=_look, args=(path, event), daemon=True) for event in started]
    for looker in lookers:
        looker.start()
    try:
        assert all(event.wait(60) for event in started)
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            with files.file_lock(path, 0):
                assert files.is_locked(path)
            time.sleep(0.0002)
    finally:
        for looker in lookers:
            looker.terminate()
