"""Verbs that use a stored model: evaluate, predict, serve, export."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pipeline.cli.options import Json, Record, RecordAs, Run, project_root
from pipeline.cli.terminal import Terminal
from pipeline.errors import DataError
from pipeline.types import Prediction, Split

if TYPE_CHECKING:
    from torch import Tensor

app = typer.Typer()


@app.command()
def evaluate(
    run: Run,
    split: Annotated[str, typer.Option(help="train, val or test.", metavar="SPLIT")] = "test",
    against: Annotated[
        str | None,
        typer.Option(help="Foreign images (letters, or a file or folder): how well are they told from the split?"),
    ] = None,
    record: Record = False,
    record_as: RecordAs = None,
    as_json: Json = False,
) -> None:
    """Evaluate a stored model on a split of its data.

    Example: pipeline evaluate latest --split val
    """
    from pipeline.actions import evaluate as action
    from pipeline.actions import record as recording
    from pipeline.runs import lookup
    from pipeline.runs.provenance import check_committed

    if record:
        check_committed(project_root())
    recording.check(record_as, project_root())
    if split not in ("train", "val", "test"):
        raise typer.BadParameter(f"{split!r} is not train, val or test", param_hint="--split")
    if record and split != "test":
        raise typer.BadParameter("recorded results are of test", param_hint="--split")
    if against:
        from pipeline.actions.foreign import compare_with_foreign

        foreign = compare_with_foreign(run, cast(Split, split), against, root=project_root())
        print(foreign)
        if as_json:
            print(json.dumps(asdict(foreign)))
        return
    if record or record_as:
        details: dict[str, Any] = {}
        predictions: dict[str, Tensor] = {}
        result = action.evaluate(run, cast(Split, split), root=project_root(), details=details, predictions=predictions)
        model_dir = lookup.model_dir(run, project_root())
        recording.evaluation(result, details, predictions, model_dir, project_root(), record_as)
    else:
        result = action.evaluate(run, cast(Split, split), root=project_root())
    for name, value in result["metrics"].items():
        print(f"{name:22} {value:.4f}")
    print(f"on {result['dataset']['rows'][split]:,} samples of {result['dataset']['name']}")
    if as_json:
        print(json.dumps(result))


@app.command()
def predict(
    run: Run,
    inputs: Annotated[
        list[str], typer.Argument(help="Image, idx, text or JSON Lines files, folders, or texts; - reads lines.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="A JSON Lines file to write; an interrupted one is completed.")
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(help="Also give the set of classes that holds the true one with this probability."),
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Predict with Ray Data, on the cluster at RAY_ADDRESS or on this machine.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict classes or translations with a stored model.

    Probabilities are calibrated on validation.

    Example: pipeline predict latest digits/ --out predictions.jsonl
    """
    from pipeline.runs import lookup

    root = project_root()
    lookup.model_dir(run, root)  # a wrong name is an error before torch is imported

    from pipeline.actions import predict as action

    if out:
        with Terminal() as console:
            written = action.predict_to(
                out, run, inputs, root=root, cluster=cluster, coverage=coverage, progress=console.predictions
            )
        errors = f", {written.errors:,} errors among the new ones" if written.errors else ""
        print(f"{written.predictions:,} predictions, {written.resumed:,} of them resumed{errors}: {out}")
        return
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # file names in another encoding
    kept: dict[str, list[Prediction]] = {"predictions": [], "errors": []}
    count = failed = 0
    first_error = ""
    for prediction in action.predict(run, inputs, root=root, cluster=cluster, coverage=coverage):
        count += 1
        if "error" in prediction:
            failed, first_error = failed + 1, first_error or prediction["error"]
        else:
            probability = f"\t{prediction['probability']:.1%}" if "probability" in prediction else ""
            label = " or ".join(prediction.get("set", [prediction["label"]]))
            doubt = "\tunlike what it was trained on" if prediction.get("unfamiliar") else ""
            print(f"{prediction['input']}\t{label}{probability}{doubt}", flush=True)
        if as_json:
            kept["errors" if "error" in prediction else "predictions"].append(prediction)
    if as_json:
        print(json.dumps(kept))
    if failed:
        raise DataError(f"{first_error} ({failed:,} of {count:,} inputs have no prediction)")


@app.command()
def serve(
    run: Run,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port, on the loopback interface only.")] = 8000,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="Processes that serve requests, a core each.")] = 1,
) -> None:
    """Serve a stored model over HTTP with Ray Serve.

    Only this machine can reach it.

    Example: pipeline serve latest --replicas 2
    """
    from pipeline.actions.serve import serve as action

    action(run, root=project_root(), port=port, replicas=replicas, print_line=lambda line: print(line, flush=True))


@app.command()
def export(
    run: Run,
    form: Annotated[str, typer.Option("--format", help="onnx, pt2 or safetensors.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="The file to write. Default: exports/EXPERIMENT-SEED.FORMAT.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Export a stored model as ONNX, PT2 or safetensors.

    The exported model is compared with the stored one on real inputs. Its metadata describes how inputs are read, the
    classes and the vocabulary. Its model card is written beside it.

    Example: pipeline export latest --format onnx
    """
    from pipeline.actions import export as action

    result = action.export(run, form, out, root=project_root())
    for name, shape in result["inputs"].items():
        print(f"input     {name}: {shape}")
    sizes = ", ".join(map(str, result["sizes"]))
    print(f"equal     within {result['difference']:.1e} on batches of {sizes} of {result['data']}")
    print(f"sha256    {result['digest']}")
    print(f"written   {result['path']} ({result['bytes']:,} bytes) and {Path(result['path']).name}.sha256")
    if as_json:
        print(json.dumps(result))
