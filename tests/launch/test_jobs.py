"""Jobs: what is sent to a cluster, to which addresses, and how jobs are found, followed and stopped."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from pipeline.actions import cluster
from pipeline.errors import ConfigError, LaunchError
from pipeline.launch import auth_token, jobs
from tests.conftest import Quiet
from tests.launch.nodes import job, nodes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a token; where it would be."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    return tmp_path / "token"


@pytest.fixture
def with_token(no_token: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user whose clusters ask for a token."""
    from ray._private.authentication_test_utils import reset_auth_token_state

    auth_token.ensure()
    with monkeypatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        reset_auth_token_state()  # Ray reads it once in a process, and an earlier test may have let it
        yield
    reset_auth_token_state()


def test_code_and_configuration_are_packed_and_nothing_else(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "experiment").mkdir(parents=True)
    (mine / "experiment/x.yaml").write_text("seed: 1\n")
    (mine / ".env").write_text("PASSWORD=canary")
    with jobs.packed(ROOT, mine) as (folder, size):
        assert {path.name for path in folder.iterdir()} == {"pipeline", "conf", "config_dir"}
        assert (folder / "conf/config.yaml").read_bytes() == (ROOT / "conf/config.yaml").read_bytes()
        names = {path.name for path in folder.rglob("*")}
        assert "x.yaml" in names
        assert not names & {".env", "__pycache__", ".git", "mnist"}
        assert size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert not folder.exists()


def test_a_pack_too_large_is_refused_with_the_size_of_each_folder(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/large.bin").write_bytes(bytes(jobs.MAX_BYTES))
    with pytest.raises(LaunchError, match=r"5,000,000 bytes  config_dir/weights"), jobs.packed(ROOT, tmp_path):
        pass


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://10.1.2.3:8265", "there is no token"),
        ("http://me:canary@10.1.2.3:8265", "holds a user or password"),
        ("10.1.2.3:6379", "expected the dashboard's http address"),
        ("http://me:canary@[::1:8265", "expected the dashboard's http address"),
        ("http://127.0.0.1:1", "no Ray dashboard answers"),
    ],
)
def test_an_address_is_refused_where_it_can_not_be_trusted_or_reached(address: str, words: str, no_token: Path) -> None:
    with pytest.raises(LaunchError, match=words) as error:
        jobs.connect(address)
    assert "canary" not in str(error.value)


class Dashboard(BaseHTTPRequestHandler):
    """A Ray dashboard that knows its version, and answers all else with `status`, or not at all."""

    status: ClassVar[int | None] = None

    def do_GET(self) -> None:
        version = self.path == "/api/version"
        if version or self.status:
            body = json.dumps({"ray_version": "2.60.0", "version": "4"}).encode()
            self.send_response(200 if version else self.status or 0)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            time.sleep(1)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "no Ray dashboard answers there, or its head is gone .*timed out"),
        (403, "the cluster refuses this token.*RAY_AUTH_TOKEN_PATH"),
        (500, "the dashboard answers with status 500. Does the cluster's head still run"),
    ],
)
def test_a_refused_token_and_a_head_that_is_gone_behind_its_dashboard_are_named(
    status: int | None, words: str, no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "READ_S", 0.3)
    monkeypatch.setattr(Dashboard, "status", status)
    with ThreadingHTTPServer(("127.0.0.1", 0), Dashboard) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(LaunchError, match=words):
            jobs.connect(f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


def test_the_token_is_its_owners_alone(no_token: Path) -> None:
    auth_token.ensure()
    assert stat.S_IMODE(no_token.stat().st_mode) == 0o600
    first = no_token.read_text()
    assert len(first) >= 32
    no_token.chmod(0o644)
    auth_token.ensure()
    assert stat.S_IMODE(no_token.stat().st_mode) == 0o600
    assert no_token.read_text() == first


def test_a_token_that_can_not_be_made_private_is_not_used(no_token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    no_token.write_text("secret")
    no_token.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(LaunchError, match=rf"{no_token}: others may read .*\(Read-only file system\)"):
        auth_token.token_file()


@pytest.mark.parametrize("place", ["/proc/nowhere/token", "{folder}/file/token", "{folder}"])
def test_a_token_that_can_not_be_created_is_named(
    place: str, no_token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", place.format(folder=tmp_path))
    with pytest.raises(LaunchError, match="Ray's token can't be created"):
        auth_token.ensure()


def test_a_token_that_another_command_creates_at_the_same_time_is_kept(
    no_token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_token.write_text("theirs")
    monkeypatch.setattr(auth_token, "token_file", lambda: None)
    auth_token.ensure()
    assert no_token.read_text() == "theirs"


def test_an_override_with_a_secret_is_not_sent(project: Path) -> None:
    console = Quiet()
    with pytest.raises(ConfigError, match=r"oc\.env:NAME") as error:
        cluster.submit(
            ["tracking.uri=http://me:canary@host"],
            console,
            address="http://127.0.0.1:1",
            storage="~/x",
            root=project,
            config_dir=None,
        )
    assert "canary" not in str(error.value)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a cluster was given when a job was submitted to it."""
    given: dict[str, Any] = {}
    client = SimpleNamespace(submit_job=lambda **words: given.update(words) or words["submission_id"])
    monkeypatch.setattr(jobs, "connect", lambda address: client)
    return given


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["experiment=mlp_xor", "seed=1"], "train cluster=ray cluster.address=auto experiment=mlp_xor seed=1"),
        (["train", "seed=1"], "train cluster=ray cluster.address=auto seed=1"),
        (["repro", "quick", "--keep-going"], "repro cluster=ray cluster.address=auto quick --keep-going"),
        (["sweep", "seed=choice(1,2)", "--trials", "2"], "sweep 'seed=choice(1,2)' --trials 2"),
        (["evaluate", "latest"], "evaluate latest"),
    ],
)
def test_any_verb_that_works_for_long_can_be_a_job(
    words: list[str], command: str, project: Path, sent: dict[str, Any]
) -> None:
    cluster.submit(words, Quiet(), address="http://127.0.0.1:1", storage="~/x", root=project, config_dir=None)
    assert sent["entrypoint"].endswith(f"exec python -P -m pipeline {command}")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["seed=1"], "train --storage s3://box/runs cluster=ray cluster.address=auto seed=1"),
        (["resume", "xor-s0-1"], "resume --storage s3://box/runs xor-s0-1"),
    ],
)
def test_a_job_copies_its_run_to_an_address_which_the_next_job_of_the_run_is_given_too(
    words: list[str], command: str, project: Path, sent: dict[str, Any]
) -> None:
    where: dict[str, Any] = {"address": "http://127.0.0.1:1", "storage": "s3://box/runs", "root": project}
    cluster.submit(words, Quiet(), **where, config_dir=None)
    assert sent["entrypoint"].endswith(f"cd ~/lecture-pipeline && exec python -P -m pipeline {command}")
    assert sent["metadata"]["storage"] == "s3://box/runs"
    with pytest.raises(ConfigError, match="Only trainings are copied"):
        cluster.submit(["evaluate", "latest"], Quiet(), **where, config_dir=None)


def test_a_submitted_job_is_the_command_in_its_folder_with_no_value_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_PASSWORD", "canary")
    sent: dict[str, Any] = {}
    client = SimpleNamespace(submit_job=lambda **words: sent.update(words) or words["submission_id"])
    words = ["train", "--config-dir", jobs.CONFIG_DIR, "seed=1", "tracking.uri=${oc.env:URI}"]
    name = jobs.submit(client, words, folder=Path("/packed"), storage="~/my runs", experiment="mnist_cnn")
    assert name.startswith("mnist_cnn-")
    assert sent["entrypoint"].endswith(
        "&& mkdir -p ~/'my runs' && cd ~/'my runs' && exec python -P -m pipeline "
        "train --config-dir \"$SENT/config_dir\" seed=1 'tracking.uri=${oc.env:URI}'"
    )
    assert "canary" not in json.dumps(sent)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("STOPPED", "`pipeline resume xor-1 --address URL`"),
        ("FAILED", "`pipeline logs xor-1` shows why"),
        ("SUCCEEDED", "nothing to"),
    ],
)
def test_only_a_stopped_job_has_a_run_to_resume(status: str, words: str) -> None:
    text = cluster.next_step("xor-1", status, "URL")
    assert words in text
    assert ("pipeline resume" in text) == (status == "STOPPED")


def test_a_job_is_found_by_an_unambiguous_prefix() -> None:
    class Status:
        value = "RUNNING"

    found = [
        SimpleNamespace(submission_id=name, status=Status, start_time=start, entrypoint="")
        for start, name in enumerate(["xor-1", "xor-12", "and-1"])
    ]
    client = SimpleNamespace(list_jobs=lambda: found)
    assert [jobs.find(client, name) for name in ("latest", "an", "xor-1", "xor-12")] == [
        "and-1",
        "and-1",
        "xor-1",
        "xor-12",
    ]
    with pytest.raises(LaunchError, match=r"Ambiguous job name 'xor': 2 jobs match \(xor-12, xor-1\)\. Type more"):
        jobs.find(client, "xor")
    with pytest.raises(LaunchError, match=r"No such job: 'or'\. `pipeline jobs` lists them"):
        jobs.find(client, "or")


def ended(status: str, log: str) -> Any:
    """A client that knows one job."""
    facts = SimpleNamespace(status=SimpleNamespace(value=status), metadata={"storage": "~/there"})
    return SimpleNamespace(get_job_info=lambda job: facts, get_job_logs=lambda job: log)


def test_a_jobs_run_and_folder_are_known_from_its_log_and_its_submission() -> None:
    log = "model       MLP\nrun         xor-s0-1 (log: /there/runs/xor-s0-1/log.txt)\nepoch 1\n"
    assert jobs.resumable(ended("STOPPED", log), "xor-1") == ("xor-s0-1", "~/there")
    assert jobs.resumable(ended("FAILED", log), "xor-1") == ("xor-s0-1", "~/there")
    with pytest.raises(LaunchError, match="xor-1: is RUNNING"):
        jobs.resumable(ended("RUNNING", log), "xor-1")
    with pytest.raises(LaunchError, match="xor-1: is SUCCEEDED"):
        jobs.resumable(ended("SUCCEEDED", log), "xor-1")
    with pytest.raises(LaunchError, match="xor-1: its log names no run"):
        jobs.resumable(ended("FAILED", "error: no such experiment\n"), "xor-1")


@pytest.mark.slow
def test_a_job_is_submitted_listed_followed_and_stopped(
    project: Path, with_token: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_STORE", "http://user:canary@127.0.0.1:9")  # of the nodes; nobody listens there
    ports = {"dashboard_port": 8377, "dashboard_agent_listen_port": 8378}  # not Ray's own, which others may hold
    address = "http://127.0.0.1:8377"
    with nodes(2, include_dashboard=True, dashboard_host="127.0.0.1", **ports) as cluster:
        _a_wrong_token_is_named_in_time(project, address, cluster.address)
        _a_job_from_submission_to_the_end(project, address)
        with pytest.raises(urllib.error.HTTPError, match="401"):  # without the token
            urllib.request.urlopen(f"{address}/api/jobs/", timeout=60)
        files = [*Path(cluster.cluster.head_node.get_logs_dir_path()).rglob("*"), *project.rglob("*")]
        files = [path for path in files if path.is_file()]
        assert {"raylet.out", "events.jsonl", "log.txt"} <= {path.name for path in files}
        assert any(path.name.startswith("job-driver-") for path in files)
        assert [path for path in files if b"canary" in path.read_bytes()] == []


def _a_wrong_token_is_named_in_time(project: Path, dashboard: str, ray_address: str) -> None:
    wrong = project / "wrong"
    wrong.write_text("0" * 64)
    wrong.chmod(0o600)
    training = ["train", "data=mnist-5k", "cluster=ray", f"cluster.address={ray_address}"]
    for words in (["jobs", "--address", dashboard], training):
        began = time.monotonic()
        with job(project, *words, RAY_AUTH_TOKEN_PATH=str(wrong)) as refused:
            assert refused.end() == 2
            assert time.monotonic() - began < 15
            (line,) = refused.output().splitlines()
            assert "the cluster refuses this token" in line


def _a_job_from_submission_to_the_end(project: Path, address: str) -> None:
    there = project / "there"
    (there / "pipeline").mkdir(parents=True)
    (there / "pipeline/__init__.py").write_text("raise ImportError('not the code that was sent')\n")
    words = ["data=mnist-5k", "data.augment=null", "trainer.max_epochs=15", "data.batch_size=200"]
    words += ["trainer.shards=2", "cluster.workers=2"]
    words.append("tracking.uri=${oc.env:MY_STORE}")
    where = ["--address", address]
    with job(there, "submit", *words, *where, "--storage", str(there), cwd=project) as submitted:
        submitted.until_step(20)
        with job(project, "jobs", "--json", *where) as listed:
            assert listed.end() == 0, listed.output()
            (found,) = json.loads(listed.output().splitlines()[-1])["jobs"]
            assert (found["status"], "cluster=ray" in found["command"]) == ("RUNNING", True)
            assert "canary" not in listed.output()
        with job(project, "logs", "latest", "-f", *where) as followed:
            with job(project, "stop", "latest", *where) as stopped:
                assert stopped.end() == 0, stopped.output()
                assert "STOPPED" in stopped.output()
            assert followed.end() == 75, followed.output()
            assert "mnist-5k, 4,000" in followed.output()
        assert submitted.end() == 75, submitted.output()
        assert "step" in submitted.output()
        assert submitted.record()["status"] == "interrupted"
    with job(project, "logs", "latest", *where) as logs:
        assert logs.end() == 0
        assert "mnist-5k, 4,000" in logs.output()
    [run] = (there / "runs").iterdir()
    with job(project, "resume", "latest", *where) as resumed:
        assert resumed.end() == 0, resumed.output()
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    assert list((there / "runs").iterdir()) == [run]


@pytest.mark.slow
def test_a_projects_own_net_trains_and_is_evaluated_as_a_job_on_a_cluster(own: Path, with_token: None) -> None:
    there = own.parent / "there"
    there.mkdir()
    address = "http://127.0.0.1:8379"
    ports = {"dashboard_port": 8379, "dashboard_agent_listen_port": 8380}
    words = ["trainer.max_epochs=1", "model.net.width=4", "cluster.workers=1"]
    where = ["--address", address, "--storage", str(there)]
    with (
        nodes(1, include_dashboard=True, dashboard_host="127.0.0.1", **ports),
        job(there, "submit", *words, *where, cwd=own) as submitted,
    ):
        assert submitted.end() == 0, submitted.output()
        record = submitted.record()
    assert (record["status"], record["experiment"], record["model"]) == ("finished", "residual", "residual_net")
    assert record["metrics"]["test/balanced_accuracy"] > 0.2  # the project's own metric; 0.1 is chance
    assert "own.nets" in record["fingerprint"]["code"]
    assert not [*there.rglob("nets.py")]  # the code came with the job, not into its folder


def test_a_projects_own_code_and_configurations_travel_with_the_package_and_its_configurations(own: Path) -> None:
    (own / "secrets.txt").write_text("canary")
    (own / "data").mkdir()
    with jobs.packed(own, None) as (folder, _):
        assert {path.name for path in folder.iterdir()} == {"pipeline", "conf", "own", "pyproject.toml"}
        assert (folder / "own/nets.py").read_bytes() == (own / "own/nets.py").read_bytes()
        assert (folder / "pipeline/conf/config.yaml").read_bytes() == (ROOT / "conf/config.yaml").read_bytes()
        assert (folder / "conf/config.yaml").read_bytes() == (own / "conf/config.yaml").read_bytes()
        # As on a node of the cluster: the package that was sent, in a folder that is no project.
        code = (
            "from pathlib import Path; from pipeline.config import load_config, build, resolve;"
            "net = resolve(load_config('model.net.width=4', root=Path.cwd()))['model']['net'];"
            "print(type(build(net)).__module__)"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            cwd=own.parent,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "own.nets\n", done.stderr
