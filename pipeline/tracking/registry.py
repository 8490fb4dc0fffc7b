"""MLflow's model registry: versions of a registered model, and the alias of the one in use."""

from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import LaunchError
from pipeline.tracking.mlflow_store import MLflowStore

CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a registered model and the MLflow run that made it."""

    number: str
    run_id: str


class Registry:
    """One registered model in the MLflow of a store.

    Raises, from every method: OutageError, RefusedError, LaunchError, as the store does.
    """

    def __init__(self, store: MLflowStore, name: str):
        self.store, self.name = store, name

    def register(self, run_id: str, tags: dict[str, str], description: str) -> Version:
        """The version of a run's model, created if missing, with these tags and a description in Markdown.

        Raises: LaunchError if MLflow has no model of the run.
        """
        from mlflow.exceptions import MlflowException

        with self.store.translated_errors():
            client = self.store.client
            if not client.search_registered_models(f"name = '{self.name}'"):
                with suppress(MlflowException):  # another promotion was faster, or the next request says why not
                    client.create_registered_model(self.name)
            versions = list(client.search_model_versions(f"name = '{self.name}' and run_id = '{run_id}'"))
            if not versions:
                source, model_id = self._model(run_id)
                versions = [client.create_model_version(self.name, source, run_id, model_id=model_id)]
            for key, value in tags.items():
                client.set_model_version_tag(self.name, versions[0].version, key, value)
            client.update_model_version(self.name, versions[0].version, description)
            return Version(str(versions[0].version), run_id)

    def champion(self) -> Version | None:
        """The version with the alias; None without one."""
        with self.store.translated_errors():
            models = self.store.client.search_registered_models(f"name = '{self.name}'")
            number = models[0].aliases.get(CHAMPION) if models else None
            if number is None:
                return None
            return Version(str(number), self.store.client.get_model_version(self.name, str(number)).run_id)

    def set_alias(self, version: Version) -> None:
        """Move the alias to a version."""
        with self.store.translated_errors():
            self.store.client.set_registered_model_alias(self.name, CHAMPION, version.number)

    def _model(self, run_id: str) -> tuple[str, str | None]:
        """The URI of a run's model, and its id if `mlflow.pyfunc` can load it (a baseline is a plain folder)."""
        client = self.store.client
        run = client.get_run(run_id)
        logged = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
        for model in logged:
            if model.status == "READY":
                return f"models:/{model.model_id}", str(model.model_id)
        if client.list_artifacts(run_id, "model"):
            return f"{run.info.artifact_uri}/model", None
        raise LaunchError(
            f"run {run_id}: MLflow has no model of it. `pipeline sync` sends what waits; else train it again."
        )
