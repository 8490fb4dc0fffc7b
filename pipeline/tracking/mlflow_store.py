"""Idempotent calls of MLflow: each is short, and repeating one doubles nothing."""

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.config.redaction import HIDDEN, redact
from pipeline.errors import LaunchError, PipelineError
from pipeline.files import file_lock
from pipeline.tracking.address import bypass_proxy, is_server, resolve_uri
from pipeline.tracking.relocation import artifact_location, relocate
from pipeline.tracking.view import TAG, saved_view
from pipeline.types import RunStart

if TYPE_CHECKING:
    import numpy as np
    from mlflow import MlflowClient
    from mlflow.types import Schema
    from onnx import ValueInfoProto

TIMEOUT_S = 10
KEY = "run.key"  # the tag that identifies a run whose creation was never confirmed
TEMPORARY = (401, 403, 408, 429)  # refusals that may end, as may all of 500 and above
DELETED = re.compile(r"The (experiment|run) (\S+) must be in the 'active' state")
REQUIREMENTS = ("onnx", "onnxruntime", "numpy")  # of an exported model


class OutageError(PipelineError):
    """MLflow can't be reached, or refuses for now; events wait in the run's folder."""


class RefusedError(PipelineError):
    """MLflow refuses a request, whenever it is sent."""


class MLflowStore:
    """The MLflow at an address.

    Raises, from every method: OutageError, RefusedError; LaunchError for an old schema, a missing driver or artifacts
    that a moved project lacks.
    """

    def __init__(self, uri: str, root: Path):
        # A stored address has no password: MLflow then takes user and password from the environment.
        self.address, self.uri, self.root = uri, resolve_uri(uri, root).replace(f"{HIDDEN}@", ""), root
        self._client: MlflowClient | None = None

    def preload(self) -> None:
        """Do what later calls would do first, which takes seconds; do not connect."""
        import mlflow.models
        import mlflow.onnx
        import onnxruntime  # noqa: F401  # of the flavour `mlflow.onnx`
        from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

        if not is_server(self.uri):
            import mlflow.store.db.utils
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
        warn_dependency_requirement_mismatches(list(REQUIREMENTS))  # reads which packages are installed, once a process

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client, connected at first use."""
        if self._client is None:
            # The caller is a thread that may wait; still, each wait has an end, and the upload queue tries again.
            os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
            os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(TIMEOUT_S)
            os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
            bypass_proxy()
            import mlflow

            if not is_server(self.uri):
                _check_schema(self.uri, redact(self.address))
            variable = os.environ.get("MLFLOW_TRACKING_URI")
            mlflow.set_tracking_uri(self.uri)
            if variable is None:  # MLflow has set it; a later run would take it for the user's choice
                os.environ.pop("MLFLOW_TRACKING_URI", None)  # or it has not, for an address that it has already
            else:
                os.environ["MLFLOW_TRACKING_URI"] = variable
            with _one_process_at_a_time(self.uri, self.root):
                relocate(self.uri, self.root)
                client = mlflow.MlflowClient(self.uri)
                client.search_experiments(max_results=1)
            self._client = client
        return self._client

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Turn what MLflow and the libraries below it raise into OutageError, RefusedError or LaunchError."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import OperationalError

        try:
            yield
        except MlflowException as error:
            raise self._translated(error, error.get_http_status_code()) from error
        except (OperationalError, sqlite3.OperationalError, OSError) as error:  # OSError: also what requests raises
            text = _first_line(error)
            if "unable to open database" in text or "readonly database" in text:
                raise LaunchError(f"tracking.uri={redact(self.address)}: {text}. Give another path.") from error
            raise OutageError(text) from error

    def _translated(self, error: Exception, status: int) -> PipelineError:
        """The error for a response of MLflow with an HTTP status."""
        text = _first_line(error)
        if deleted := DELETED.match(text):
            kind, identifier = self._to_restore(*deleted.groups())
            return OutageError(
                f"its {kind} {identifier} was deleted. Restore it: `MLFLOW_TRACKING_URI={redact(self.uri)} "
                f"mlflow {kind}s restore --{kind}-id {identifier}`"
            )
        if status in (401, 403):
            text += ". Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        return (OutageError if status in TEMPORARY or status >= 500 else RefusedError)(text)

    def _to_restore(self, kind: str, identifier: str) -> tuple[str, str]:
        """The deleted run or experiment; a run's experiment if that was deleted, which deletes its runs."""
        with suppress(Exception):  # MLflow may be down by now
            if kind == "run":
                experiment = self.client.get_experiment(self.client.get_run(identifier).info.experiment_id)
                if experiment.lifecycle_stage == "deleted":
                    return "experiment", str(experiment.experiment_id)
        return kind, identifier

    def open(self, run: RunStart, started_s: float) -> tuple[str, str]:
        """Create a run and its experiment, unless an earlier try has; the ids of both.

        Runs of one data set share an experiment: there, and only there, are their metrics comparable.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag, Param
        from mlflow.exceptions import MlflowException

        experiment = self._experiment(run["dataset"]["name"])
        existing = self.client.search_runs([experiment], f"tags.`{KEY}` = '{run['key']}'")
        for duplicate in existing[1:]:  # of tries whose responses were lost
            self.client.delete_run(duplicate.info.run_id)
        tags = {**run["tags"], KEY: run["key"]}
        opened = (
            existing[0] if existing else self.client.create_run(experiment, int(started_s * 1000), tags, run["name"])
        )
        run_id = str(opened.info.run_id)
        params = [Param(key, value) for key, value in run["params"].items()]
        for start in range(0, len(params), 100):  # MLflow's limit for one request
            self.client.log_batch(run_id, params=params[start : start + 100])
        # MLflow stores 36 characters of a digest; the tag `data.digest` holds all of them.
        data = Dataset(run["dataset"]["name"], run["dataset"]["digest"][:32], "code", "{}")
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
        try:
            self.client.log_inputs(run_id, inputs)
        except MlflowException:  # another run brought the same data to Postgres at the same time
            self.client.log_inputs(run_id, inputs)
        return run_id, experiment

    def reopen(self, run_id: str) -> None:
        self.client.update_run(run_id, "RUNNING")

    def end(self, run_id: str, status: str, time_s: float) -> None:
        self.client.set_terminated(run_id, status, int(time_s * 1000))

    def log_metrics(self, run_id: str, points: Sequence[tuple[str, float, float, int]]) -> None:
        """Log points of (name, value, time in s, step)."""
        from mlflow.entities import Metric

        metrics = [Metric(name, value, int(time_s * 1000), step) for name, value, time_s, step in points]
        for start in range(0, len(metrics), 1000):  # MLflow's limit for one request
            self.client.log_batch(run_id, metrics=metrics[start : start + 1000])

    def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_files(self, run_id: str, folder: Path, under: str | None) -> None:
        self.client.log_artifacts(run_id, str(folder), under)

    def log_model(self, run_id: str, experiment: str, onnx_file: Path, example_file: Path) -> None:
        """Log an ONNX net with its signature and an input example; `mlflow.pyfunc.load_model` runs it anywhere."""
        import mlflow
        import numpy as np
        import onnx
        from mlflow.models import Model, ModelSignature

        models = self.client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
        if any(model.status == "READY" for model in models):
            return
        for incomplete in models:  # of an earlier try
            self.client.delete_logged_model(incomplete.model_id)
        params = self.client.get_run(run_id).data.params
        model_id = self.client.create_logged_model(experiment, "model", run_id, params=params).model_id
        net = onnx.load(str(onnx_file))
        with np.load(example_file) as arrays:
            example = dict(arrays)
        Model.log(
            None,
            mlflow.onnx,
            run_id=run_id,
            model_id=model_id,
            onnx_model=net,
            signature=ModelSignature(_schema(net.graph.input, example), _schema(net.graph.output, example)),
            input_example={port.name: example[port.name] for port in net.graph.input},
            pip_requirements=list(REQUIREMENTS),
            save_as_external_data=False,
        )

    def _experiment(self, name: str) -> str:
        """The id of a data set's experiment, created on first use; its artifacts stay out of the working folder."""
        from mlflow.exceptions import MlflowException

        if existing := self.client.get_experiment_by_name(name):
            return str(existing.experiment_id)
        location = None if is_server(self.uri) else artifact_location(self.root, name)
        tags = {
            # Opens MLflow's pages in the view for models in training, not the one for language models.
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.note.content": f"Runs on the data set {name}, whose scores are comparable. `val/best_…` is the "
            "best validation score, of epoch `val/best_epoch`; `test/…` was measured once, after training.",
            TAG: saved_view(),
        }
        try:
            return str(self.client.create_experiment(name, location, tags))
        except MlflowException:  # another run was faster
            if existing := self.client.get_experiment_by_name(name):
                return str(existing.experiment_id)
            raise


def _schema(ports: "Iterable[ValueInfoProto]", example: "Mapping[str, np.ndarray]") -> "Schema":
    """The types and shapes of a graph's inputs or outputs; -1 for a dynamic dimension."""
    from mlflow.types import Schema, TensorSpec

    shapes = {port.name: [size.dim_value or -1 for size in port.type.tensor_type.shape.dim] for port in ports}
    return Schema([TensorSpec(example[name].dtype, tuple(shape), name) for name, shape in shapes.items()])


def _check_schema(uri: str, shown: str) -> None:
    """Raises: LaunchError if another version of MLflow created the tables: MLflow migrates some of them unasked."""
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
            f"tracking.uri={shown}: its tables are of another MLflow (schema {found}, expected {expected}). "
            f"Nothing was changed. Make a copy of it, then run `mlflow db upgrade {shown}`."
        )


def _one_process_at_a_time(uri: str, root: Path) -> AbstractContextManager[None]:
    """Lock a project's data base while its tables are created: two processes that do so at once break each other.

    A server creates its own tables and needs no lock.
    """
    return nullcontext() if is_server(uri) else file_lock(root / "runs/.lock")


def _first_line(error: Exception) -> str:
    return redact((str(error).splitlines() or [type(error).__name__])[0])
