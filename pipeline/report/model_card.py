"""The model card of a stored model, in Markdown with the sections of Hugging Face's template (Mitchell et al. 2019)."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report import robustness
from pipeline.types import Config, Manifest, PrimaryMetric

UNKNOWN = "not recorded"


def markdown(config: Config, manifest: Manifest, weights: str, about: str, result: Mapping[str, Any]) -> str:
    """The card, from the stored configuration and manifest, and from what the model's result or run recorded.

    `about` is the sentence that describes the experiment. What `result` lacks is stated as not recorded.
    """
    name = f"{config['name']}-{config['seed']}"
    sections = {
        "Model Details": _details(config, about, weights),
        "Uses": _uses(config),
        "Bias, Risks, and Limitations": _limitations(config, result),
        "How to Get Started with the Model": _start(name),
        "Training Details": _training(config, manifest, result),
        "Evaluation": _evaluation(config, result),
        "Environmental Impact": _cost(result),
        "Reproduction": _reproduction(name, weights, result),
    }
    front = ["---", f"datasets: [{config['data']['name']}]", f"tags: [{config['name']}]", "---", ""]
    parts = [f"## {title}\n\n" + "\n".join(lines) for title, lines in sections.items()]
    return "\n".join(front) + f"# Model Card for {name}\n\n" + "\n\n".join(parts) + "\n"


def _details(config: Config, about: str, weights: str) -> Iterator[str]:
    yield f"- **Description:** {about or UNKNOWN}"
    yield f"- **Net:** `{_target(config['model'].get('net') or config['model'])}`"
    if members := config["requires"].get("members"):
        yield f"- **Ensemble of:** {', '.join(members)}"
    yield f"- **SHA-256 of the weights:** `{weights}`"


def _uses(config: Config) -> Iterator[str]:
    labels = [str(label) for label in config.get("labels") or ()]
    classes = f" Classes: {', '.join(labels[:20])}{', …' if len(labels) > 20 else ''}." if labels else ""
    yield f"Inputs like those of `{config['data']['name']}`.{classes}"
    yield "A teaching example; not meant for decisions on people."


def _limitations(config: Config, result: Mapping[str, Any]) -> Iterator[str]:
    others = "inputs with the shifts below" if result.get("robustness") else "no other inputs"
    yield f"- Scores are of the test split of `{config['data']['name']}` and of one seed; {others} were tested."
    metrics = result.get("metrics", {})
    if "test/ece" not in metrics:
        yield "- Calibration: not recorded. Its probabilities may be too sure."
    yield "- It answers every input, also those of no class that it knows."


def _start(name: str) -> Iterator[str]:
    yield from ("```", f"pipeline predict models/{name} INPUT", "```")


def _training(config: Config, manifest: Manifest, result: Mapping[str, Any]) -> Iterator[str]:
    rows = (result.get("dataset") or {}).get("rows")
    split = ", ".join(f"{count:,} {part}" for part, count in sorted(rows.items())) if rows else UNKNOWN
    yield f"- **Data:** {config['data']['name']}, {split}; digest `{manifest['data_digest']}`"
    yield f"- **Seed:** {config['seed']}; digest of the configuration `{manifest['config_digest']}`"
    optimizer = config["model"].get("optimizer") or {}
    values = [f"{key} {value}" for key, value in optimizer.items() if not key.startswith("_")]
    if optimizer:
        yield f"- **Optimiser:** `{_target(optimizer)}`, {', '.join(values)}"
    parents = [f"{key} {value}" for key, value in config["requires"].items() if value and key != "judge"]
    yield f"- **Steps:** {result.get('steps', UNKNOWN)}; models that it requires: {', '.join(parents) or 'none'}"


def _evaluation(config: Config, result: Mapping[str, Any]) -> Iterator[str]:
    metrics = {name: value for name, value in result.get("metrics", {}).items() if name.startswith("test/")}
    if not metrics:
        yield UNKNOWN
        return
    if primary := PrimaryMetric.of(metrics):
        low, high = metrics.get("test/accuracy_low"), metrics.get("test/accuracy_high")
        interval = ""
        if primary.name == "accuracy" and low is not None and high is not None:
            interval = f", 95 % interval {100 * low:.2f} to {100 * high:.2f} %"
        yield f"Test split of {config['data']['name']}: {primary}{interval}.\n"
    yield "| metric | value |\n| --- | --- |"
    yield from (f"| {name} | {value:.6g} |" for name, value in sorted(metrics.items()))
    if curves := result.get("robustness"):
        yield from robustness.card_lines(curves)


def _cost(result: Mapping[str, Any]) -> Iterator[str]:
    seconds = result.get("cpu_s")
    spent = "An unrecorded number of" if seconds is None else f"{seconds:,.0f}"
    hardware = result.get("hardware") or "a processor that was not recorded"
    yield f"{spent} CPU-seconds of training on {hardware}. Energy was not measured."


def _reproduction(name: str, weights: str, result: Mapping[str, Any]) -> Iterator[str]:
    commit = result.get("commit")
    dirty = ", with changes that were not committed: it can't be reproduced exactly" if result.get("dirty") else ""
    yield f"- **Commit:** {f'`{commit}`' if commit else UNKNOWN}{dirty}"
    yield f"- **SHA-256 of requirements.lock:** `{result.get('lock_digest') or UNKNOWN}`"
    environment = result.get("environment") or {}
    if environment:
        yield f"- **Environment:** {', '.join(f'{key} {value}' for key, value in environment.items() if value)}"
    if steps := (result.get("trail") or {}).get("step"):
        yield f"- **Trail:** digests of the weights at {len(steps)} steps, in `trail.json` and in the committed result"
    yield from ("", "```", f"pipeline reproduce {name} --steps 10", "```")


def _target(node: Mapping[str, Any]) -> str:
    return str(node.get("_target_", UNKNOWN)).rpartition(".")[2]
