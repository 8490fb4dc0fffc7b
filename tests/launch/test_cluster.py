"""A Ray of one's own, and one that is named but gone."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LaunchError
from pipeline.launch import batch, cluster


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
def test_a_ray_of_ones_own_has_a_private_token_no_dashboard_and_is_no_other(
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
    with pytest.raises(LaunchError, match=rf"{disk}: 8,388,608 bytes free, and Ray .* set RAY_TMPDIR"):
        cluster.start(2)
    assert not token.exists()


def test_a_session_that_is_over_is_named_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray/ray_current_cluster").write_text("127.0.0.1:1\n")  # Ray leaves its note behind when it is killed
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(LaunchError, match=r"cluster.address=127.0.0.1:1: no Ray cluster answers there.*ray start"):
        cluster.check({"address": "auto", "workers": 2, "threads_per_worker": 1})
    (tmp_path / "ray/ray_current_cluster").unlink()
    with pytest.raises(LaunchError, match="Ray does not run on this machine"):
        cluster.check({"address": "auto", "workers": 2, "threads_per_worker": 1})
