"""A user without a home folder or a name has both for the libraries that need them."""

import getpass
import os
import pwd
from pathlib import Path

import pytest

from pipeline.cli.user import provide_user


@pytest.fixture
def unknown_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME, no USER, and a uid that the user database does not have."""
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "x")  # restored afterwards, also where it was not set
        monkeypatch.delenv(name)

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("unknown_uid")
def test_a_uid_without_an_entry_gets_a_home_in_the_project_and_a_name(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        Path.home()
    provide_user(tmp_path / "home")
    assert Path("~").expanduser() == tmp_path / "home"
    assert getpass.getuser() == f"uid-{os.getuid()}"
    assert list(tmp_path.iterdir()) == []


def test_a_known_user_keeps_home_and_name(tmp_path: Path) -> None:
    before = dict(os.environ)
    provide_user(tmp_path / "home")
    assert dict(os.environ) == before
