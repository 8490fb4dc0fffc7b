"""Objects from checked nodes of a configuration: the only place that instantiates with Hydra."""

from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.config.checks import check_targets
from pipeline.config.kind import Config
from pipeline.config.schema import SOURCE_KEYS
from pipeline.config.source import current, make_importable
from pipeline.config.targets import of_project
from pipeline.errors import ConfigError, PipelineError
from pipeline.plugins import place_of

DATA_MODULE = ("setup", "digest", "describe", "labels", "splits", "train_dataloader", "batches")


def build(node: dict[str, Any], **extra: Any) -> Any:
    """The object that a node describes, its `_target_`s checked again (a stored file may have been changed).

    Raises: ConfigError where the constructor refuses its arguments.
    """
    import hydra.utils
    from hydra.errors import InstantiationException

    check_targets(node)
    _import_own(node)
    try:
        return hydra.utils.instantiate(node, **extra, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, PipelineError):
            raise error.__cause__ from error
        own, cause = current(), error.__cause__ or error
        found = place_of(cause, own.root) if own else cause
        raise ConfigError(f"{node['_target_']}: {found}. See `pipeline config`.") from error


def _import_own(node: Any) -> None:
    """Import the project's modules that a node names.

    Raises: ConfigError with the line of the project's code at which an import fails.
    """
    if isinstance(node, dict):
        target, own = str(node.get("_target_", "")), current()
        if own and of_project(target):
            make_importable()
            try:
                import_module(target.rpartition(".")[0])
            except Exception as error:
                raise ConfigError(f"{target}: can't be imported: {place_of(error, own.root)}. Correct it.") from error
        node = list(node.values())
    for item in node if isinstance(node, list) else ():
        _import_own(item)


def build_data(config: Config, folder: Path) -> Any:
    """The configured data module, reading from the data folder `folder`.

    Raises: ConfigError where its class refuses its arguments, or is not a data module.
    """
    node = {key: value for key, value in config["data"].items() if key not in SOURCE_KEYS}
    data = build(node, folder=folder, seed=config["seed"])
    if lacking := [name for name in DATA_MODULE if not hasattr(data, name)]:
        raise ConfigError(
            f"data: {node['_target_']} lacks {', '.join(lacking)}. Derive it from pipeline.data.batches.BatchedData."
        )
    return data
