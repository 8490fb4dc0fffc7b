"""The model card of a stored model: what its folder, its run and the committed results say of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.kinds import read_config
from pipeline.report.markdown import described
from pipeline.report.model_card import markdown
from pipeline.runs import checkpoints, records, results, trail

SUFFIX = ".card.md"  # of a card beside an exported file


def model_card(model_dir: Path, root: Path) -> str:
    """The card in Markdown.

    Raises: CheckpointError if the model does not verify.
    """
    manifest, config = checkpoints.verify(model_dir), read_config(model_dir)
    weights = checkpoints.weights_digest(manifest)
    result = _result(f"{config['name']}-{config['seed']}", weights, model_dir, root)
    return markdown(config, manifest, weights, described(config["name"], root), result)


def _result(name: str, weights: str, model_dir: Path, root: Path) -> Mapping[str, Any]:
    """The committed result of these weights, else the record of the run that holds them; {} if there is neither."""
    committed = results.find(name, root)
    if committed and committed["weights_digest"] == weights:
        return committed
    if (model_dir.parent / records.RECORD).is_file():
        return {**records.read(model_dir.parent), "trail": trail.columns(trail.read(model_dir))}
    return {}
