"""Training, live: start an experiment in a process of its own, watch it, stop it, go on with it, open it in MLflow."""

import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page
from pipeline.config import load_config, resolve
from pipeline.config.redaction import HIDDEN, redact
from pipeline.errors import LaunchError
from pipeline.runs import events as run_events
from pipeline.tracking.address import is_server

LISTED = 30
EXPERIMENTS = (
    "mnist_cnn", "mlp_mnist", "perceptron_mnist", "mlp_xor", "digits_mlp", "imdb_tfidf", "imdb_rnn", "imdb_gru",
    "imdb_lstm", "mnist_gan", "lecture_gan", "piglatin_seq2seq",
)  # fmt: skip
GOOD_ENDS = (0, 75, 130)  # done; interrupted, and can go on
router = APIRouter(prefix="/live")
_lock = threading.Lock()
_children: dict[str, "subprocess.Popen[bytes]"] = {}  # what was started here: "training", "mlflow"
_ui = ""  # where MLflow's pages are


class Start(BaseModel):
    """An experiment of the list, and for how many epochs; its own number where none is given."""

    experiment: Annotated[str, Field(max_length=50)]
    epochs: Annotated[int, Field(ge=1, le=100)] | None = None


class Named(BaseModel):
    """A run of the list."""

    run: Annotated[str, Field(max_length=200)]


@router.get("/runs")
def runs(request: Request) -> dict[str, Any]:
    """The newest runs, what can be started, and what the last training said where it ended badly."""
    keys = ("name", "experiment", "status", "data", "run_id", "experiment_id", "metrics")
    listed = stored.records(request.app.state.root)[:LISTED]
    child = _children.get("training")
    busy = child is not None and child.poll() is None
    ended_badly = child is not None and child.poll() not in (None, *GOOD_ENDS)
    return {
        "runs": [{key: record.get(key) for key in keys} for record in listed],
        "experiments": EXPERIMENTS,
        "busy": busy,
        "trouble": _words(request.app.state.root, "training") if ended_badly else "",
    }


@router.get("/events")
def events(request: Request, run: Annotated[str, Field(max_length=200)], start: Annotated[int, Field(ge=0)] = 0) -> Any:
    """What a run has told since byte `start`, and where to go on."""
    found, end = run_events.read(Path(_record(request, run)["run_dir"]), start)
    return {"events": found[-2000:], "next": end}


@router.post("/start")
def begin(asked: Start, request: Request) -> dict[str, Any]:
    """Train an experiment of the list."""
    if asked.experiment not in EXPERIMENTS:
        raise LaunchError("No such experiment can be started here.")
    epochs = [f"trainer.max_epochs={asked.epochs}"] if asked.epochs else []
    return _train(request, "train", f"experiment={asked.experiment}", *epochs)


@router.post("/resume")
def resume(asked: Named, request: Request) -> dict[str, Any]:
    """Go on with an interrupted run."""
    return _train(request, "resume", _record(request, asked.run)["name"])


@router.post("/stop")
def stop(request: Request) -> dict[str, Any]:
    """Interrupt the training that was started here; it can go on later."""
    child = _children.get("training")
    if child is None or child.poll() is not None:
        raise LaunchError("No training that was started here is running.")
    child.send_signal(signal.SIGINT)
    return {}


@router.post("/mlflow")
def mlflow(asked: Named, request: Request) -> dict[str, Any]:
    """The address of a run in MLflow's pages, and whether they answer yet; they are started if they are not up."""
    record = _record(request, asked.run)
    if not record.get("run_id"):
        raise LaunchError(f"{record['name']} is not tracked in MLflow yet. `pipeline sync` sends what waits.")
    root: Path = request.app.state.root
    uri = redact(resolve(load_config(root=root))["tracking"]["uri"]).replace(f"{HIDDEN}@", "")
    if not is_server(uri):
        uri = _pages(root)
    page = f"#/experiments/{record['experiment_id']}/runs/{record['run_id']}?workflowType=machine_learning"
    return {"address": f"{uri}/{page}", "ready": _answers(uri)}


def end() -> None:
    """What was started here ends with the server: a training keeps its state and can go on later."""
    for child in _children.values():
        if child.poll() is None:
            child.send_signal(signal.SIGINT)


def _pages(root: Path) -> str:
    """Where MLflow's pages are, or are about to be.

    Raises: LaunchError if they could not be started.
    """
    global _ui
    with _lock:
        child = _children.get("mlflow")
        if child is not None and child.poll():
            del _children["mlflow"]
            raise LaunchError(f"MLflow's pages did not start: {_words(root, 'mlflow')}")
        if child is None or child.poll() is not None:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            _spawn("mlflow", root, "ui", "--no-browser", "--port", str(port))
            _ui = f"http://127.0.0.1:{port}"
        return _ui


def _answers(uri: str) -> bool:
    try:
        urllib.request.urlopen(f"{uri}/health", timeout=2).close()  # noqa: S310, tracking.uri is http(s) here
    except OSError:
        return False
    return True


def _record(request: Request, name: str) -> dict[str, Any]:
    """Raises: LaunchError if no run has this name."""
    for record in stored.records(request.app.state.root):
        if record["name"] == name:
            return record
    raise LaunchError("No such run.")


def _train(request: Request, *words: str) -> dict[str, Any]:
    with _lock:
        if (child := _children.get("training")) is not None and child.poll() is None:
            raise LaunchError("A training that was started here is still running. Stop it first.")
        _spawn("training", request.app.state.root, *words)
    return {}


def _spawn(name: str, root: Path, *words: str) -> None:
    log = _log(root, name)
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as file:
        _children[name] = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *words], cwd=root, stdout=file, stderr=file
        )


def _log(root: Path, name: str) -> Path:
    return root / f"runs/app-{name}.log"


def _words(root: Path, name: str) -> str:
    """The last that a process which was started here had to say."""
    return _log(root, name).read_text(errors="replace")[-600:]


PAGE = Page("live", "Training live", "Start a training and watch it learn.", router)
