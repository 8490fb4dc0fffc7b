"""Runs in MLflow: the only import of mlflow, and only inside the functions that need it (it takes seconds)."""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import LaunchError
from pipeline.types import DataSet


def resolve_uri(uri: str, root: Path) -> str:
    """A relative `sqlite:///` path belongs to the project, whatever folder the command was typed in."""
    path = re.fullmatch(r"sqlite:///(?!/)(.+)", uri)
    return f"sqlite:///{str(root).replace('%', '%25')}/{path[1]}" if path else uri


def redact(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return re.sub(r"://[^/@\s]+@", "://***@", text)


@dataclass(frozen=True, slots=True)
class Run:
    """An open MLflow run."""

    run_id: str
    experiment_id: str

    def log_events(self, events: Sequence[dict[str, Any]]) -> None:
        """The metrics among a spool's events, in as few requests as they fit in."""
        from mlflow import MlflowClient
        from mlflow.entities import Metric

        points = [
            Metric(name, value, int(event["time"] * 1000), event["epoch"] + 1)
            for event in events
            for name, value in event.get("metrics", {}).items()
        ]
        for start in range(0, len(points), 1000):  # MLflow takes no more at once
            MlflowClient().log_batch(self.run_id, metrics=points[start : start + 1000])

    def log_result(self, metrics: dict[str, float], artifacts: Path) -> None:
        """The final metrics, and every file in a folder."""
        import mlflow

        mlflow.log_metrics(metrics, run_id=self.run_id)
        mlflow.log_artifacts(str(artifacts), run_id=self.run_id)

    def log_files(self, folder: Path, name: str) -> None:
        """Every file in a folder, under a name."""
        import mlflow

        mlflow.log_artifacts(str(folder), name, run_id=self.run_id)

    def log_model(self, onnx_file: Path, inputs: dict[str, Any], output: Any) -> None:
        """An ONNX net with its signature and an input example; `mlflow.pyfunc.load_model` runs it anywhere."""
        import mlflow
        import onnx
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        net = onnx.load(str(onnx_file))

        def spec(arrays: dict[str, Any], ports: Any) -> Schema:
            shapes = {port.name: [size.dim_value or -1 for size in port.type.tensor_type.shape.dim] for port in ports}
            return Schema([TensorSpec(array.dtype, shapes[name], name) for name, array in arrays.items()])

        answer = {net.graph.output[0].name: output}
        mlflow.onnx.log_model(
            net,
            name="model",
            signature=ModelSignature(spec(inputs, net.graph.input), spec(answer, net.graph.output)),
            input_example=inputs,
            pip_requirements=["onnx", "onnxruntime", "numpy"],
            save_as_external_data=False,
        )


@contextmanager
def open_run(
    uri: str,
    *,
    root: Path,
    name: str,
    description: str,
    params: dict[str, Any],
    tags: dict[str, str],
    data: DataSet,
    run_id: str | None,
) -> Iterator[Run]:
    """An MLflow run that ends as the block ends: FINISHED, FAILED, or KILLED by an interrupt.

    With a `run_id`, that run goes on.
    Runs of one data set share an MLflow experiment: there, and only there, are their figures comparable.

    Raises: LaunchError if the tracking store can't be reached or written.
    """
    # MLflow's own retries would hold a run up for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        mlflow.set_tracking_uri(resolve_uri(uri, root))
        with _alone(root):
            mlflow.set_experiment(experiment_id=_experiment(data.name, uri, root))
        mlflow.set_system_metrics_sampling_interval(5)
        named: dict[str, Any] = {"run_id": run_id} if run_id else {"run_name": name, "description": description}
        active = mlflow.start_run(**named, tags=tags, log_system_metrics=True)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise LaunchError(
            f"tracking.uri={redact(uri)}: can't be opened ({redact(str(error).splitlines()[0])}). Start the server, "
            "mend the path, or use tracking.uri=sqlite:///runs/mlflow.db."
        ) from error
    try:
        mlflow.log_params({key: redact(str(value))[:6000] for key, value in params.items()})
        # MLflow keeps 36 characters of a digest; the tag `data.digest` has them all.
        mlflow.log_input(
            MetaDataset(CodeDatasetSource({}), name=data.name, digest=data.digest[:32]), context="training"
        )
        yield Run(active.info.run_id, active.info.experiment_id)
    except BaseException as error:
        mlflow.end_run("KILLED" if isinstance(error, KeyboardInterrupt | SystemExit) else "FAILED")
        raise
    mlflow.end_run("FINISHED")


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One run of a project at a time: two that make the data base's tables at once break each other."""
    with (root / "runs/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _experiment(name: str, uri: str, root: Path) -> str:
    """The id of a data set's MLflow experiment, made on first use; its artifacts stay out of the working folder."""
    import mlflow

    existing = mlflow.get_experiment_by_name(name)
    if existing:
        return str(existing.experiment_id)
    location = (root / "runs/artifacts" / name).as_uri() if uri.startswith("sqlite:") else None
    # The kind opens MLflow's pages in the view for models in training, not the one for language models.
    tags = {"mlflow.experimentKind": "custom_model_development"}
    return str(mlflow.create_experiment(name, artifact_location=location, tags=tags))


def server_command(uri: str, root: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """The command and environment of MLflow's user interface on loopback, with one worker and no job execution."""
    import sys

    hosts = f"localhost:{port},127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", resolve_uri(uri, root), "--allowed-hosts", hosts]
    return command, {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
