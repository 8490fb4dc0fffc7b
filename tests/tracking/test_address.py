"""Addresses of tracking stores: those that are refused before anything starts, and proxies."""

import errno
import http.server
import os
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy.engine import make_url

from pipeline.config import load_config, revive, stored
from pipeline.config.redaction import redact, redact_tree
from pipeline.errors import LaunchError
from pipeline.tracking.address import bypass_proxy, check, database_file, resolve_uri
from pipeline.tracking.server import server_command


def test_a_relative_data_base_belongs_to_the_project() -> None:
    root = Path("/somewhere")
    assert resolve_uri("sqlite:///runs/mlflow.db", root) == "sqlite:////somewhere/runs/mlflow.db"
    odd = Path("/a ü/100%41")  # SQLAlchemy decodes what looks encoded
    assert resolve_uri("sqlite:///x.db", odd) == "sqlite:////a ü/100%2541/x.db"
    assert resolve_uri("sqlite:////else/x.db", root) == "sqlite:////else/x.db"
    assert resolve_uri("http://server:5000", root) == "http://server:5000"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("htp://server", "neither a server nor a data base"),
        ("runs/mlflow.db", "neither a server nor a data base"),
        ("file:///tmp/mlruns", "neither a server nor a data base"),
        ("http://", "names no host"),
        ("http://[::1:5000", "names no host"),
        ("postgresql://user:canary@[host/db", "neither a server nor a data base"),
        ("sqlite:///notes.txt", "is not an SQLite data base"),
        ("sqlite:///notes.txt/mlflow.db", "is a file"),
        ("sqlite:////proc/mlflow.db", "can't be written"),
        ("nonsense://user:canary@host", r"://\*\*\*@host: neither"),
    ],
)
def test_an_address_that_can_not_be_right_is_refused(uri: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("sixteen bytes and more")
    if "proc" in uri and os.access("/proc", os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(LaunchError, match=words) as error:
        check(uri, tmp_path)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("folder", ["C#", "what?", "100%41", "a b"])
def test_the_file_of_a_data_base_is_that_of_sqlalchemy_whatever_the_folders_name(folder: str, tmp_path: Path) -> None:
    root = tmp_path / folder
    assert database_file("sqlite:///runs/x.db", root) == root / "runs/x.db"
    assert make_url(resolve_uri("sqlite:///runs/x.db", root)).database == str(root / "runs/x.db")


def test_a_file_below_a_folder_that_can_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, status = tmp_path / "closed", os.stat
    closed.mkdir()

    def refuse(path: Any, **words: Any) -> os.stat_result:
        if closed in Path(path).parents:
            raise PermissionError(errno.EACCES, "Permission denied")
        return status(path, **words)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: closed not in (path, *path.parents)[mode == os.F_OK :])
    with pytest.raises(LaunchError, match=rf"{closed} can't be written"):
        check(f"sqlite:///{closed}/x.db", tmp_path)


@pytest.mark.parametrize(
    "uri",
    ["sqlite:///runs/mlflow.db", "http://127.0.0.1:9", "https://host/mlflow", "postgresql+psycopg2://u:p@host/db"],
)
def test_a_place_that_may_only_be_down_is_not(uri: str, tmp_path: Path) -> None:
    check(uri, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["http://user:secret@host/x", "see postgresql://a@secret/secret@host, then"])
def test_passwords_are_redacted(text: str) -> None:
    assert "secret" not in redact(text)
    assert "host" in redact(text)


def test_secret_like_keys_have_no_value() -> None:
    tree = {
        "model": {"api_token": "canary", "lr": 0.1},
        "password": ["canary"],
        "max_tokens": 9,
        "n": None,
    }
    assert redact_tree(tree) == {
        "model": {"api_token": "***", "lr": 0.1},
        "password": ["***"],
        "max_tokens": 9,
        "n": None,
    }
    assert redact("pipeline train model.tokenizer=words") == "pipeline train model.tokenizer=words"
    assert redact("https://host/x?a=1&sig=canary&b=2") == "https://host/x?a=1&sig=***&b=2"
    assert redact("pipeline train +api_token=canary model.lr=1 '+x.Secret=canary'") == (
        "pipeline train +api_token=*** model.lr=1 '+x.Secret=***'"
    )


def test_the_server_listens_on_loopback_alone_and_runs_no_jobs(tmp_path: Path) -> None:
    command, environment = server_command("sqlite:///runs/mlflow.db", tmp_path, 5001)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "*" not in command[command.index("--allowed-hosts") + 1]
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_a_data_bases_password_is_not_on_the_servers_command_line(tmp_path: Path) -> None:
    command, _ = server_command("postgresql://user:canary@host/db", tmp_path, 5001)
    assert "canary" not in str(command)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A machine whose proxy refuses connections; the port of a server on its loopback."""
    for name in ("no_proxy", "https_proxy", "all_proxy", "NO_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_reached_without_the_proxy_and_other_hosts_through_it(
    host: str, proxied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intern.example")
    address = f"http://{host}:{proxied}/"
    with pytest.raises(requests.exceptions.ProxyError):
        requests.head(address, timeout=10)
    bypass_proxy()
    assert requests.head(address, timeout=10).status_code == 200
    urllib.request.urlopen(address, timeout=10).close()
    with pytest.raises(requests.exceptions.ProxyError):
        requests.head("http://example.invalid/", timeout=10)
    assert os.environ["no_proxy"].startswith("intern.example,")
    monkeypatch.setenv("no_proxy", "")  # what `bypass_proxy` set goes with the test


def test_nothing_changes_where_there_is_no_proxy(proxied: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTP_PROXY")
    bypass_proxy()
    assert "no_proxy" not in os.environ


def test_a_run_that_is_tracked_later_is_sent_to_the_store_of_the_machine_that_sends_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "later")
    config = load_config("experiment=mlp_xor")
    check(config.tracking.uri, project)
    written = stored(config)["resolved"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert revive(written)["tracking"]["uri"] == "http://127.0.0.1:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert revive(written)["tracking"]["uri"] == "sqlite:///runs/mlflow.db"
