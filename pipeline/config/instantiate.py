"""Objects from checked nodes of a configuration, as `hydra.utils.instantiate` makes them.

A node may hold `_target_` and `_partial_` of Hydra's keys, no others. Importing Hydra for these two would take a
prediction a third as long again as importing torch does.
"""

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.config.checks import check_targets
from pipeline.config.schema import SOURCE_KEYS
from pipeline.config.source import current, make_importable
from pipeline.config.targets import of_project
from pipeline.errors import ConfigError, PipelineError
from pipeline.plugins import place_of
from pipeline.types import Config

DATA_MODULE = ("setup", "digest", "describe", "labels", "splits", "train_dataloader", "batches")


def build(node: Config, **extra: object) -> Any:
    """The object that a node describes, its `_target_`s checked again (a stored file may have been changed).

    Raises: ConfigError where the constructor refuses its arguments.
    """
    check_targets(node)
    _import_own(node)
    try:
        return _made({**node, **extra})
    except PipelineError:
        raise
    except Exception as error:  # of a constructor, which may raise anything
        own = current()
        found = place_of(error, own.root) if own else error
        raise ConfigError(f"{node['_target_']}: {found}. See `pipeline config`.") from error


def _made(node: object) -> object:
    """A node in which every `_target_` is called, innermost first, or bound to its arguments if it is `_partial_`."""
    if isinstance(node, list):
        return [_made(item) for item in node]
    if not isinstance(node, dict):
        return node
    arguments = {key: _made(value) for key, value in node.items() if key not in ("_target_", "_partial_")}
    if "_target_" not in node:
        return arguments
    module, _, name = node["_target_"].rpartition(".")
    target = getattr(import_module(module), name)
    return partial(target, **arguments) if node.get("_partial_") else target(**arguments)


def _import_own(node: object) -> None:
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
