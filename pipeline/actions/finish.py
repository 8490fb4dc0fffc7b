"""Evaluate a run's model on test when its training has ended, and log the result to MLflow."""

from pathlib import Path

from pipeline.config import Config, build_data
from pipeline.runs import events
from pipeline.runs.best import best_validation
from pipeline.runs.goodput import goodput
from pipeline.tracking.run import Run


def finish(
    config: Config, run_dir: Path, *, root: Path, run: Run, extra: dict[str, float], cpu_s: float
) -> dict[str, float]:
    """Calibrate the stored model, evaluate it on test, draw its figures, and log both with the portable model."""
    from pipeline.actions import assess, export  # import numpy and torch
    from pipeline.actions.calibrate import calibrate
    from pipeline.report.figures import learning_curves

    data = build_data(config, root / "data")
    predictor = calibrate(run_dir / "model", data)
    figures = run_dir / "figures"
    figures.mkdir(exist_ok=True)
    evaluation = assess.assess(predictor, data, "test", root=root)
    assess.draw(evaluation, predictor, data, "test", figures)
    scores = assess.named_metrics(evaluation, "test")
    history = events.read(run_dir)[0]
    if history:
        learning_curves(history, figures / "learning_curves.png")
    run.log_result({**scores, "train/cpu_s": cpu_s, **best_validation(history), **goodput(history)}, figures)
    if example := export.onnx_example(predictor, data, run_dir / "model.onnx"):
        run.log_model(run_dir / "model.onnx", *example)
    else:
        run.log_files(run_dir / "model", "model")
    return {**extra, **scores}
