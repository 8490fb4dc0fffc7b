"""A stage's command on a node, without Ray: what it is given, what is read while it runs and at its end."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import CheckpointError
from pipeline.launch import stage_actor
from pipeline.launch.stage_actor import Progress, Sent, StageActor, Work
from pipeline.runs import checkpoints

# In the place of the package that is sent: a run with an event, a checkpoint and a half-written file.
PACKAGE = """
import json, os, pathlib, sys
from real import publish
run = pathlib.Path("runs/x")
run.mkdir(parents=True, exist_ok=True)
(run / "events.jsonl").write_text("{}")
(run / ".run.json.tmp").write_text("half")
publish(run)
pathlib.Path("models/x-0").mkdir(parents=True)
facts = {"words": sys.argv[1:], "conf": os.path.exists("conf/config.yaml")}
facts |= {"given": pathlib.Path("given.txt").read_text(), "uri": os.environ.get("MLFLOW_TRACKING_URI")}
pathlib.Path("models/x-0/facts.json").write_text(json.dumps(facts))
print("trained")
"""
PUBLISH = """
def publish(run):
    import shutil
    shutil.copytree("given", run / "checkpoints/step-000000003")
"""


def zipped(**files: str) -> Sent:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + (".yaml" if name.startswith("conf") else ".py"), text)
    return Sent.of("code.zip", content.getvalue())


@pytest.fixture
def actor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StageActor]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("ray.get", lambda value: value)
    monkeypatch.setattr("ray.get_runtime_context", lambda: type("", (), {"get_node_id": lambda self: "n" * 40})())
    made = StageActor()
    yield made
    made.close()


@pytest.fixture
def work(tmp_path: Path) -> Work:
    code = zipped(pipeline=PACKAGE, real=PUBLISH, conf__config="x: 1\n")
    folder = checkpoints.publish(tmp_path / "step-000000003", lambda aside: None, step=3)
    manifest = Sent.of("given/manifest.json", (folder / "manifest.json").read_bytes())
    inputs = (Sent.of("given.txt", b"by digest"), manifest)
    words = "pipeline train seed=0 --record"
    return Work("train-0", words, code, code.digest, inputs, None, False, ("models/x-0",))


def until_end(actor: StageActor) -> list[Progress]:
    found = [actor.progress()]
    while found[-1].code is None:
        time.sleep(0.01)
        found.append(actor.progress())
    return found


def test_a_command_has_the_code_the_configuration_and_the_files_that_were_sent(actor: StageActor, work: Work) -> None:
    assert actor.start(work).endswith(", node nnnnnnnn")
    progress = until_end(actor)
    assert progress[-1].code == 0, b"".join(each.log for each in progress)
    assert b"trained" in b"".join(each.log for each in progress)
    (output,) = actor.outputs()
    assert output.path == "models/x-0/facts.json"
    assert json.loads(output.verified()) == {
        "words": ["train", "seed=0", "--record"],
        "conf": True,
        "uri": "later",
        "given": "by digest",
    }


def test_whole_checkpoints_and_finished_files_of_runs_are_read_once(actor: StageActor, work: Work) -> None:
    actor.start(work)
    progress = until_end(actor)
    assert [name for each in progress for name in each.folders] == ["runs/x/checkpoints/step-000000003"]
    assert {file.path for each in progress for file in each.files} == {"runs/x/events.jsonl"}
    last = actor.progress()
    assert (last.folders, last.files, last.log) == ({}, (), b"")


def test_what_an_earlier_try_sent_is_not_sent_back(actor: StageActor, work: Work) -> None:
    known = Sent.of("runs/old/config.json", b"{}")
    actor.start(replace(work, inputs=(*work.inputs, known)))
    assert known.path not in {file.path for each in until_end(actor) for file in each.files}


@pytest.mark.parametrize(
    "forge",
    [
        lambda work: replace(work, inputs=(Sent("given.txt", b"forged", work.inputs[0].digest),)),
        lambda work: replace(work, code=Sent("code.zip", b"forged", work.code_digest)),
    ],
)
def test_other_bytes_than_were_sent_are_refused(forge: Callable[[Work], Work], actor: StageActor, work: Work) -> None:
    with pytest.raises(CheckpointError, match="not the bytes that were sent"):
        actor.start(forge(work))


def test_an_output_that_was_not_written_is_named(actor: StageActor, work: Work) -> None:
    actor.start(replace(work, outputs=("models/other",)))
    until_end(actor)
    with pytest.raises(FileNotFoundError, match="did not write models/other"):
        actor.outputs()


def test_variables_of_rays_worker_do_not_reach_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_JOB_ID", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("OTHER", "kept")
    work = Work("x", "pipeline train", None, "", (), None, True, (), {"DVC_STAGE": "x"})
    environment = stage_actor._environment(tmp_path, work)
    assert environment["PYTHONPATH"] == str(tmp_path)
    assert (environment["DVC_STAGE"], environment["OTHER"]) == ("x", "kept")
    assert not {"RAY_JOB_ID", "MLFLOW_TRACKING_URI"} & environment.keys()
