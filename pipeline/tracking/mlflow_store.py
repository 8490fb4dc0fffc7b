"""MLflow as an outbox speaks to it: every call is short, and can be repeated without doubling anything."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.config.redaction import HIDDEN, redact
from pipeline.errors import LaunchError, PipelineError
from pipeline.files import file_lock
from pipeline.tracking.address import is_server, resolve_uri

TIMEOUT_S = 10
KEY = "run.key"  # the tag by which a run is found again whose creation was never confirmed
PASSING = (401, 403, 408, 429)  # refusals that may be over later, as are all of 500 and above


class OutageError(PipelineError):
    """MLflow can't be told now; later it may be."""


class RefusedError(PipelineError):
    """MLflow will not take this, now or later."""


class MLflowStore:
    """The MLflow at an address.

    Raises, from every method: OutageError, RefusedError; LaunchError for an old schema or a missing driver.
    """

    def __init__(self, uri: str, root: Path):
        # A stored address has no password: MLflow then takes user and password from the environment.
        self.address, self.uri, self.root = uri, resolve_uri(uri, root).replace(f"{HIDDEN}@", ""), root
        self._client: Any = None

    @property
    def client(self) -> Any:
        """MLflow's client, connected at first use."""
        if self._client is None:
            # Whoever waits here is a thread of its own; still, each wait has an end, and the outbox tries again.
            os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
            os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(TIMEOUT_S)
            os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
            import mlflow

            if not is_server(self.uri):
                _check_schema(self.uri, redact(self.address))
            variable = os.environ.get("MLFLOW_TRACKING_URI")
            mlflow.set_tracking_uri(self.uri)
            if variable is None:  # MLflow has set it; a later run would take it for the user's choice
                del os.environ["MLFLOW_TRACKING_URI"]
            else:
                os.environ["MLFLOW_TRACKING_URI"] = variable
            with _alone(self.uri, self.root):
                client = mlflow.MlflowClient(self.uri)
                client.search_experiments(max_results=1)
            self._client = client
        return self._client

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn what MLflow and what lies below it raise into an outage, a refusal, or a word to the user."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import OperationalError

        try:
            yield
        except MlflowException as error:
            text, status = _first_line(error), error.get_http_status_code()
            if status in (401, 403):
                text += ". Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            raise (OutageError if status in PASSING or status >= 500 else RefusedError)(text) from error
        except (OperationalError, OSError) as error:  # OSError: also what requests raises
            text = _first_line(error)
            if "unable to open database" in text or "readonly database" in text:
                raise LaunchError(f"tracking.uri={redact(self.address)}: {text}. Give another path.") from error
            raise OutageError(text) from error

    def open(self, run: dict[str, Any], started_s: float) -> tuple[str, str]:
        """The ids of a run and of its experiment, made unless an earlier try has made them.

        Runs of one data set share an experiment: there, and only there, are their figures comparable.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag, Param

        experiment = self._experiment(run["dataset"]["name"])
        made = self.client.search_runs([experiment], f"tags.`{KEY}` = '{run['key']}'")
        for extra in made[1:]:  # several tries whose answers were lost
            self.client.delete_run(extra.info.run_id)
        found = (
            made[0]
            if made
            else self.client.create_run(
                experiment, int(started_s * 1000), {**run["tags"], KEY: run["key"]}, run["name"]
            )
        )
        run_id = str(found.info.run_id)
        params = [Param(key, value) for key, value in run["params"].items()]
        for start in range(0, len(params), 100):  # MLflow takes no more at once
            self.client.log_batch(run_id, params=params[start : start + 100])
        # MLflow keeps 36 characters of a digest; the tag `data.digest` has them all.
        data = Dataset(run["dataset"]["name"], run["dataset"]["digest"][:32], "code", "{}")
        self.client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
        return run_id, experiment

    def reopen(self, run_id: str) -> None:
        self.client.update_run(run_id, "RUNNING")

    def end(self, run_id: str, status: str, time_s: float) -> None:
        self.client.set_terminated(run_id, status, int(time_s * 1000))

    def log_metrics(self, run_id: str, points: Sequence[tuple[str, float, float, int]]) -> None:
        """Points as (name, value, time in s, step)."""
        from mlflow.entities import Metric

        metrics = [Metric(name, value, int(time_s * 1000), step) for name, value, time_s, step in points]
        for start in range(0, len(metrics), 1000):  # MLflow takes no more at once
            self.client.log_batch(run_id, metrics=metrics[start : start + 1000])

    def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_files(self, run_id: str, folder: Path, under: str | None) -> None:
        self.client.log_artifacts(run_id, str(folder), under)

    def log_model(self, run_id: str, experiment: str, onnx_file: Path, example_file: Path) -> None:
        """An ONNX net with its signature and an input example; `mlflow.pyfunc.load_model` runs it anywhere."""
        import mlflow
        import numpy as np
        import onnx
        from mlflow.models import Model, ModelSignature
        from mlflow.types import Schema, TensorSpec

        models = self.client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
        if any(model.status == "READY" for model in models):
            return
        for torn in models:  # by an earlier try
            self.client.delete_logged_model(torn.model_id)
        params = self.client.get_run(run_id).data.params
        model_id = self.client.create_logged_model(experiment, "model", run_id, params=params).model_id
        net = onnx.load(str(onnx_file))
        with np.load(example_file) as arrays:
            example = dict(arrays)

        def spec(ports: Any) -> Any:
            shapes = {port.name: [size.dim_value or -1 for size in port.type.tensor_type.shape.dim] for port in ports}
            return Schema([TensorSpec(example[name].dtype, shape, name) for name, shape in shapes.items()])

        Model.log(
            None,
            mlflow.onnx,
            run_id=run_id,
            model_id=model_id,
            onnx_model=net,
            signature=ModelSignature(spec(net.graph.input), spec(net.graph.output)),
            input_example={port.name: example[port.name] for port in net.graph.input},
            pip_requirements=["onnx", "onnxruntime", "numpy"],
            save_as_external_data=False,
        )

    def _experiment(self, name: str) -> str:
        """The id of a data set's experiment, made on first use; its artifacts stay out of the working folder."""
        from mlflow.exceptions import MlflowException

        if existing := self.client.get_experiment_by_name(name):
            return str(existing.experiment_id)
        location = None if is_server(self.uri) else (self.root / "runs/artifacts" / name).as_uri()
        # The kind opens MLflow's pages in the view for models in training, not the one for language models.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        try:
            return str(self.client.create_experiment(name, location, tags))
        except MlflowException:  # another run was faster
            if existing := self.client.get_experiment_by_name(name):
                return str(existing.experiment_id)
            raise


def _check_schema(uri: str, shown: str) -> None:
    """Raises: LaunchError if the tables are another MLflow's; MLflow would migrate some of them without being asked."""
    from mlflow.store.db.utils import _get_latest_schema_revision, _get_schema_version
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    patience = {"sqlite": {"timeout": 2}, "postgresql": {"connect_timeout": 5}}
    arguments = patience.get(urlsplit(uri).scheme.partition("+")[0], {})
    try:
        found = _get_schema_version(create_engine(uri, poolclass=NullPool, connect_args=arguments))
    except ModuleNotFoundError as error:
        raise LaunchError(f"tracking.uri={shown}: needs {error.name}. `pip install {error.name}`.") from error
    expected = _get_latest_schema_revision()
    if found not in (None, expected):
        raise LaunchError(
            f"tracking.uri={shown}: its tables are of another MLflow (schema {found}, this one expects {expected}). "
            f"Nothing was changed. Make a copy of it, then run `mlflow db upgrade {shown}`."
        )


def _alone(uri: str, root: Path) -> AbstractContextManager[None]:
    """One run of a project at a time: two that make a data base's tables at once break each other.

    A server makes its own tables: nobody waits for another process that waits for it.
    """
    return nullcontext() if is_server(uri) else file_lock(root / "runs/.lock")


def _first_line(error: Exception) -> str:
    return redact((str(error).splitlines() or [type(error).__name__])[0])
