"""Objects from checked nodes of a configuration: the only place that instantiates with Hydra."""

from pathlib import Path
from typing import Any

from pipeline.config.checks import check_targets
from pipeline.config.schema import SOURCE_KEYS
from pipeline.errors import ConfigError, PipelineError
from pipeline.types import Config


def build(node: Config, **extra: object) -> Any:
    """The object that a node describes, its `_target_`s checked again (a stored file may have been changed).

    Raises: ConfigError where the constructor refuses its arguments.
    """
    import hydra.utils
    from hydra.errors import InstantiationException

    check_targets(node)
    try:
        return hydra.utils.instantiate(node, **extra, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, PipelineError):
            raise error.__cause__ from error
        raise ConfigError(f"{node['_target_']}: {error.__cause__ or error}. See `pipeline config`.") from error


def build_data(config: Config, folder: Path) -> Any:
    """The configured data module, reading from the data folder `folder`."""
    node = {key: value for key, value in config["data"].items() if key not in SOURCE_KEYS}
    return build(node, folder=folder, seed=config["seed"])
