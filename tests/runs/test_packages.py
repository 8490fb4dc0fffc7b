"""Packages that a result depends on: the same in every environment that the lock file's packages are installed in."""

from pathlib import Path

import pytest

from pipeline.runs import packages


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of distributions: `net` requires `tool` on old Pythons, which requires `shared`."""
    for name, requires in (("net", ["tool; python_version < '3.9'"]), ("tool", ["shared"]), ("shared", [])):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        needed = [f"Requires-Dist: {each}" for each in requires]
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *needed]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    packages._required.cache_clear()
    packages._requirements.cache_clear()
    return tmp_path


def locked(folder: Path, *names: str) -> dict[str, str]:
    lock = folder / "requirements.lock"
    lock.write_text("".join(f"{name}==1.0\n" for name in names))
    return packages.locked(["net"], lock)


def test_a_package_that_is_installed_and_not_locked_adds_nothing(installed: Path) -> None:
    assert locked(installed, "net", "shared") == {"net": "1.0"}


def test_what_a_locked_package_requires_counts_wherever_it_is_locked(installed: Path) -> None:
    assert locked(installed, "net", "tool", "shared") == {"net": "1.0", "shared": "1.0", "tool": "1.0"}
