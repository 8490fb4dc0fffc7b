"""Verbs that ask a stored model."""

import json
from typing import Annotated, Any

import typer

from pipeline.options import Json, Record, RecordAs, Run, project_root

app = typer.Typer()


@app.command()
def evaluate(
    run: Run,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    record: Record = False,
    record_as: RecordAs = None,
    as_json: Json = False,
) -> None:
    """Score a stored model on a split of its data.

    Example: pipeline evaluate latest --split val
    """
    from pipeline.actions import models
    from pipeline.actions import record as recording

    if split not in ("train", "val", "test"):
        raise typer.BadParameter(f"{split!r} is not train, val or test", param_hint="--split")
    details: dict[str, Any] | None = {} if record or record_as else None
    result = models.evaluate(run, split, root=project_root(), details=details)  # type: ignore[arg-type]
    if details is not None:
        recording.metrics(result, details, project_root(), record_as)
    for name, value in result["metrics"].items():
        print(f"{name:14} {value:.4f}")
    print(f"on {result['dataset']['rows'][split]:,} samples of {result['dataset']['name']}")
    if as_json:
        print(json.dumps(result))


@app.command()
def predict(
    run: Run,
    inputs: Annotated[list[str], typer.Argument(help="PNG or idx images; for a net that reads, texts or files.")],
    as_json: Json = False,
) -> None:
    """Say what a stored model makes of images or texts.

    Example: pipeline predict latest digit.png
    """
    from pipeline.actions import models

    answers = models.predict(run, inputs, root=project_root())
    for answer in answers:
        certain = f"\t{answer['probability']:.1%}" if "probability" in answer else ""
        print(f"{answer['input']}\t{answer['label']}{certain}")
    if as_json:
        print(json.dumps({"predictions": answers}))
