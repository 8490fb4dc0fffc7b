"""Training, live: start an experiment in a process of its own, watch it, stop it, go on with it, open it in MLflow."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline import spool
from pipeline.app import stored
from pipeline.app.pages import Page
from pipeline.errors import LaunchError

LISTED = 30
EXPERIMENTS = (
    "mnist_cnn", "mlp_mnist", "perceptron_mnist", "mlp_xor", "digits_mlp", "imdb_tfidf", "imdb_rnn", "imdb_gru",
    "imdb_lstm", "mnist_gan", "lecture_gan", "piglatin_seq2seq",
)  # fmt: skip
UI_PORT = 5000
router = APIRouter(prefix="/live")
_lock = threading.Lock()
_children: dict[str, "subprocess.Popen[bytes]"] = {}  # what was started here: "training", "mlflow"


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
    words = _log(request).read_text(errors="replace")[-600:] if child and child.poll() not in (None, 0, 130, 75) else ""
    return {
        "runs": [{key: record.get(key) for key in keys} for record in listed],
        "experiments": EXPERIMENTS,
        "busy": busy,
        "trouble": words,
    }


@router.get("/events")
def events(request: Request, run: Annotated[str, Field(max_length=200)], start: Annotated[int, Field(ge=0)] = 0) -> Any:
    """What a run has told since byte `start`, and where to go on."""
    found, end = spool.read(Path(_record(request, run)["run_dir"]), start)
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
def mlflow(asked: Named, request: Request) -> dict[str, str]:
    """Start MLflow's pages if they were not started here yet; the address of a run in them."""
    record = _record(request, asked.run)
    if not record.get("run_id"):
        raise LaunchError(f"{record['name']} is not tracked in MLflow yet.")
    with _lock:
        if (child := _children.get("mlflow")) is None or child.poll() is not None:
            _spawn("mlflow", request, "ui", "--no-browser", "--port", str(UI_PORT))
    page = f"#/experiments/{record['experiment_id']}/runs/{record['run_id']}?workflowType=machine_learning"
    return {"address": f"http://127.0.0.1:{UI_PORT}/{page}"}


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
        _spawn("training", request, *words)
    return {}


def _spawn(name: str, request: Request, *words: str) -> None:
    log = _log(request)
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as file:
        _children[name] = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *words], cwd=request.app.state.root, stdout=file, stderr=file
        )


def _log(request: Request) -> Path:
    root: Path = request.app.state.root
    return root / "runs/app.log"


PAGE = Page("live", "Training live", "Start a training and watch it learn.", router)
