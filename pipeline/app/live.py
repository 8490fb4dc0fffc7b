"""Live page: start a training in a process of its own, watch its event log, stop and resume it, open it in MLflow."""

import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app.pages import Page
from pipeline.config import load_config, resolve
from pipeline.config.redaction import HIDDEN, redact
from pipeline.errors import LaunchError
from pipeline.runs import events, interruption, lookup
from pipeline.runs.records import RunRecord
from pipeline.tracking.address import is_server

LISTED_RUNS = 30
EVENTS = 2000  # of one response
EXPERIMENTS = (
    "mnist_cnn", "mlp_mnist", "perceptron_mnist", "mlp_xor", "digits_mlp", "imdb_tfidf", "imdb_rnn", "imdb_gru",
    "imdb_lstm", "mnist_gan", "lecture_gan", "piglatin_seq2seq",
)  # fmt: skip
GOOD_EXIT_CODES = (0, 75, 130)  # finished; interrupted and resumable
router = APIRouter(prefix="/live")
_lock = threading.Lock()
_children: dict[str, "subprocess.Popen[bytes]"] = {}  # by "training" and "mlflow"
_mlflow_address = ""  # of the MLflow server that was started here


class StartRequest(BaseModel):
    """An experiment of the list, and its number of epochs; None: as in its configuration."""

    experiment: Annotated[str, Field(max_length=50)]
    epochs: Annotated[int, Field(ge=1, le=100)] | None = None


class RunRequest(BaseModel):
    """The name of a run of the list."""

    run: Annotated[str, Field(max_length=200)]


@router.get("/runs")
def list_runs(request: Request) -> dict[str, object]:
    """The newest runs, the experiments that can be started, and the state of the training that was started here.

    `started_run` is the name of that training's run, None until the run exists; `failure` is the end of its output if
    it failed.
    """
    keys = ("name", "experiment", "status", "data", "run_id", "experiment_id", "metrics")
    root: Path = request.app.state.root
    records = lookup.listing(root)
    child = _children.get("training")
    started = _run_of(child, records) if child else None
    return {
        "runs": [{key: record.get(key) for key in keys} for record in records[:LISTED_RUNS]],
        "experiments": EXPERIMENTS,
        "busy": child is not None and child.poll() is None,
        "started_run": started and started["name"],
        "failure": _log_tail(root, "training") if child and child.poll() not in (None, *GOOD_EXIT_CODES) else "",
    }


@router.get("/events")
def read_events(
    request: Request, run: Annotated[str, Field(max_length=200)], start: Annotated[int, Field(ge=0)] = 0
) -> dict[str, object]:
    """The newest events of a run from byte `start` of its event log, and the byte to continue from."""
    new, end = events.read(Path(_record(request, run)["run_dir"]), start)
    return {"events": new[-EVENTS:], "next": end}


@router.post("/start")
def start(wanted: StartRequest, request: Request) -> dict[str, object]:
    """Train an experiment of the list."""
    if wanted.experiment not in EXPERIMENTS:
        raise LaunchError(
            f"experiment: expected one of {', '.join(EXPERIMENTS)}. Start others with `pipeline train experiment=NAME`."
        )
    epochs = [f"trainer.max_epochs={wanted.epochs}"] if wanted.epochs else []
    return _train(request, "train", f"experiment={wanted.experiment}", *epochs)


@router.post("/resume")
def resume(wanted: RunRequest, request: Request) -> dict[str, object]:
    """Resume an interrupted run."""
    return _train(request, "resume", _record(request, wanted.run)["name"])


@router.post("/stop")
def stop(request: Request) -> dict[str, object]:
    """Interrupt the training that was started here; its run can be resumed."""
    child = _children.get("training")
    if child is None or child.poll() is not None:
        raise LaunchError("No training that was started on this page is running. Reload the page.")
    _interrupt(child, request.app.state.root)
    return {}


@router.post("/mlflow")
def open_in_mlflow(wanted: RunRequest, request: Request) -> dict[str, object]:
    """The address of a run in MLflow, and whether MLflow is up; an MLflow server is started if none is running."""
    record = _record(request, wanted.run)
    if not record.get("run_id"):
        raise LaunchError(f"{record['name']} is not in MLflow yet. Send its metrics with `pipeline sync`.")
    root: Path = request.app.state.root
    uri = redact(resolve(load_config(root=root))["tracking"]["uri"]).replace(f"{HIDDEN}@", "")
    if not is_server(uri):
        uri = _start_mlflow(root)
    page = f"#/experiments/{record['experiment_id']}/runs/{record['run_id']}?workflowType=machine_learning"
    return {"address": f"{uri}/{page}", "ready": _is_up(uri)}


def interrupt_children(root: Path) -> None:
    """Interrupt the processes that were started here; a training saves its state and can be resumed."""
    for child in _children.values():
        if child.poll() is None:
            _interrupt(child, root)


def _interrupt(child: "subprocess.Popen[bytes]", root: Path) -> None:
    """Interrupt a process, except a run that is stopping: a second signal would end it before its state is stored."""
    run = _run_of(child, lookup.listing(root))
    if run is None or not interruption.requested(Path(run["run_dir"])):
        child.send_signal(signal.SIGINT)


def _run_of(child: "subprocess.Popen[bytes]", records: list[RunRecord]) -> RunRecord | None:
    """The run of a training that was started here; None until it exists."""
    return next((record for record in records if record.get("pid") == child.pid), None)


def _start_mlflow(root: Path) -> str:
    """The address of an MLflow server, which may still be starting.

    Raises: LaunchError if it failed to start.
    """
    global _mlflow_address
    with _lock:
        child = _children.get("mlflow")
        if child is not None and child.poll():
            del _children["mlflow"]
            raise LaunchError(
                f"MLflow did not start: {_log_tail(root, 'mlflow')} Try `pipeline ui` in a terminal to see all of it."
            )
        if child is None or child.poll() is not None:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            _spawn("mlflow", root, "ui", "--no-browser", "--port", str(port))
            _mlflow_address = f"http://127.0.0.1:{port}"
        return _mlflow_address


def _is_up(uri: str) -> bool:
    try:
        urllib.request.urlopen(f"{uri}/health", timeout=2).close()  # noqa: S310, tracking.uri is http(s) here
    except OSError:
        return False
    return True


def _record(request: Request, name: str) -> RunRecord:
    """Raises: LaunchError if no run has this name."""
    for record in lookup.listing(request.app.state.root):
        if record["name"] == name:
            return record
    raise LaunchError("No run has this name. Reload the page for the current list.")


def _train(request: Request, *arguments: str) -> dict[str, object]:
    with _lock:
        if (child := _children.get("training")) is not None and child.poll() is None:
            raise LaunchError("A training that was started here is still running. Stop it first.")
        _spawn("training", request.app.state.root, *arguments)
    return {}


def _spawn(name: str, root: Path, *arguments: str) -> None:
    log = _log(root, name)
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as file:
        # In a new session: a terminal's Ctrl-C would reach it too, before the signal of `interrupt_children`.
        _children[name] = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments], cwd=root, stdout=file, stderr=file, start_new_session=True
        )


def _log(root: Path, name: str) -> Path:
    return root / f"runs/app-{name}.log"


def _log_tail(root: Path, name: str) -> str:
    """The last 600 characters that a process started here has printed."""
    return _log(root, name).read_text(errors="replace")[-600:]


PAGE = Page("live", "Training live", "Start a training and watch its loss and score.", router)
