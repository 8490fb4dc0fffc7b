"""Searching for a better configuration: trials under Ray Tune, judged on validation, never on test."""

import json
import shlex
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.actions import requirements as requirement_actions
from pipeline.actions.data import obtain
from pipeline.actions.train import redirect_output, require
from pipeline.config import build_data, flatten, load_config, resolve, stored, sweep_space, training
from pipeline.config.redaction import redact
from pipeline.errors import ConfigError, LaunchError
from pipeline.files import atomic_write
from pipeline.kinds import kind_of
from pipeline.launch import cluster as clusters
from pipeline.launch import placement
from pipeline.runs import events, provenance, requirements
from pipeline.runs import records as run_records
from pipeline.tracking import address
from pipeline.tracking.run import conclude, describe, open_run, tell
from pipeline.types import Console, DataSet, Headline

FIGURE = "parallel_coordinates.png"


def sweep(
    overrides: Sequence[str],
    trials: int,
    console: Console,
    *,
    root: Path,
    config_dir: Path | None = None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Draw `trials` configurations from what the overrides span, and train them side by side.

    Returns: see `_run`.
    Raises: PipelineError for whatever the user can mend, before Ray starts.
    """
    if trials < 1:
        raise ConfigError(f"--trials {trials}: expected 1 or more.")
    fixed, axes = sweep_space.parse(overrides)
    base = load_config(*fixed, root=root, config_dir=config_dir)
    address.check(base.tracking.uri, root)
    points = sweep_space.draw(axes, trials, base.seed)
    configs = [load_config(*fixed, *point, root=root, config_dir=config_dir) for point in points]
    for config in configs:
        _check(resolve(config), resolve(configs[0]))
    first, plain = obtain(configs[0], [*fixed, *points[0]], root=root, config_dir=config_dir, console=console)
    if first is not configs[0]:  # the data's sample, which all have to use
        fixed = [*(word for word in fixed if not word.startswith("data=")), f"data={plain['data']['name']}"]
        configs = [load_config(*fixed, *point, root=root, config_dir=config_dir) for point in points]
    required_by = {tuple(requirements.names(each)): each for each in map(resolve, configs)}
    for each in required_by.values():
        require(each, console, root=root, config_dir=config_dir, verbose=verbose)
    if len(points) < trials:
        console.print(f"the space has {len(points)} points, fewer than {trials}: each is tried once")
    options = ["--config-dir", str(config_dir)] if config_dir else []
    facts = {
        **provenance.provenance(root),
        "command": redact(shlex.join(["pipeline", "sweep", *options, *overrides, "--trials", str(trials)])),
        "sweep": {"keys": list(axes), "train": [*options, *fixed]},
    }
    run_dir = run_records.create(root, {**plain, "name": f"sweep-{plain['name']}"}, facts)
    for number, (point, config) in enumerate(zip(points, configs, strict=True), 1):
        _keep(run_records.create_trial(run_dir, number, point), config)
    _keep(run_dir, configs[0])
    return _run(run_dir, console, root=root, verbose=verbose)


def resume(run: str, console: Console, *, root: Path, verbose: bool = False) -> dict[str, Any]:
    """Go on with a sweep whose driver was stopped or died: trials that ended stay, those that had begun go on.

    Raises: LaunchError if it is no sweep, is finished or running, or code or data are not what they were.
    """
    record = run_records.find(run, root)
    if "sweep" not in record:
        raise LaunchError(f"{record['name']}: is no sweep. `pipeline resume {record['name']}` goes on with a run.")
    if record["status"] in ("finished", "running"):
        raise LaunchError(f"{record['name']} is {record['status']}; only an interrupted or failed sweep can go on.")
    run_dir = Path(record["run_dir"])
    config = run_records.config(run_dir)
    if drift := provenance.drift(record, config, build_data(config, root / "data").describe().digest, root):
        raise LaunchError(
            f"{record['name']}: not what it was when the sweep began: {'; '.join(drift)}. "
            "Undo that, or begin a new one."
        )
    return _run(run_dir, console, root=root, verbose=verbose)


def _check(config: dict[str, Any], first: dict[str, Any]) -> None:
    """Raises: ConfigError if a configuration can't be a trial, or not be compared with the first."""
    if not kind_of(config).by_epochs:
        raise ConfigError(f"{config['name']}: is not trained by epochs, so no trial of it can be stopped early.")
    if not placement.in_process(config["cluster"]):
        raise ConfigError("cluster: a sweep's trials have one worker each, on this machine. Use cluster=local.")
    if config["data"]["name"] != first["data"]["name"]:
        raise ConfigError(
            f"data: {first['data']['name']} and {config['data']['name']} can't be compared. Sweep over one data set."
        )


def _keep(run_dir: Path, config: Any) -> None:
    atomic_write(run_dir / run_records.CONFIG, json.dumps(stored(config), indent=1) + "\n")


def _run(run_dir: Path, console: Console, *, root: Path, verbose: bool) -> dict[str, Any]:
    """Returns: name, run_dir, run_id, best, trials (the records), command (that trains the best), figure, seconds."""
    started = time.perf_counter()
    record, config = run_records.read(run_dir), run_records.config(run_dir)
    uri, keys = config["tracking"]["uri"], record["sweep"]["keys"]
    with ExitStack() as stack:
        stack.enter_context(run_records.status(run_dir))
        stack.enter_context(redirect_output(run_dir / "log.txt", verbose))
        data = build_data(config, root / "data").describe()
        console.print(f"sweep       {', '.join(keys)}: {len(run_records.trials(run_dir))} trials on {data.name}")
        console.print(f"run         {run_dir.name} (log: {run_dir / 'log.txt'})")
        parent = stack.enter_context(
            open_run(
                uri,
                root=root,
                run_dir=run_dir,
                print_line=console.print,
                name=run_dir.name,
                description=f"- `{record['command']}`\n- resume: `pipeline sweep --resume {run_dir.name}`",
                params={**dict(flatten(config)), **dict.fromkeys(map(_bare, keys), "searched")},
                tags={"experiment": record["experiment"], "data": data.name, "data.digest": data.digest},
                data=data,
            )
        )
        run_records.update(run_dir, **parent.ids, dataset=asdict(data))
        _search(run_dir, data, uri, console, root=root)
        found = run_records.trials(run_dir)
        best = _best(found)
        figures = run_dir / "figures"
        figures.mkdir(exist_ok=True)
        _draw(keys, found, best, figures / FIGURE)
        parent.log_result({"val/best": best["score"], "trials": len(found)}, figures)
        command = shlex.join(["pipeline", "train", *record["sweep"]["train"], *best["overrides"]])
        summary = {
            "name": run_dir.name,
            "run_dir": str(run_dir),
            "best": {key: best[key] for key in ("name", "overrides", "score", "measure")},
            "trials": [{key: trial.get(key) for key in TOLD} for trial in found],
            "command": command,
            "figure": str(figures / FIGURE),
        }
        run_records.update(run_dir, **summary)
        for remnant in (run_dir / "ray", *run_dir.glob("trials/*/checkpoints")):
            shutil.rmtree(remnant, ignore_errors=True)
    run_records.update(run_dir, **parent.ids)
    return {"run_id": parent.ids.get("run_id"), **summary, "seconds": round(time.perf_counter() - started, 1)}


TOLD = ("name", "overrides", "status", "epochs", "score", "error")
ENDED = ("finished", "stopped early")


def _search(run_dir: Path, data: DataSet, uri: str, console: Console, *, root: Path) -> None:
    """Train the trials that have not ended yet."""
    from pipeline.launch import sweep

    records = run_records.trials(run_dir)
    if done := sum(record["status"] in ENDED for record in records):
        console.print(f"going on    {done} trials have ended already")
    # First those that ended: what they told decides which others are stopped.
    records.sort(key=lambda record: record["status"] not in ENDED)
    trials = [_trial(record, run_dir, data) for record in records]
    gpus = clusters.resolve_gpus(trials[0].config["cluster"])
    for trial in trials:
        trial.config["cluster"]["gpus_per_worker"] = gpus
        if not trial.ended:
            requirement_actions.fetch(trial.config, trial.run_dir, root, console)
    with ThreadPoolExecutor(1) as telling:  # MLflow; a sweep does not wait for it

        def ended(folder: Path, epochs: int, error: str | None) -> None:
            if run_records.read(folder)["status"] not in ENDED:
                _judge(folder, epochs, error)
                console.print(_line(run_records.trials(run_dir), run_records.read(folder)))
            waiting.append(telling.submit(tell, folder, uri, root))  # also what an earlier try left untold

        waiting: list[Future[int]] = []
        sweep.run(trials, data_dir=root / "data", data_digest=data.digest, storage=run_dir / "ray", ended=ended)
    if count := sum(future.result() for future in waiting):
        console.print(
            f"WARNING     {count} events of trials wait for MLflow: `pipeline sync {run_dir.name}` sends them"
        )


def _judge(folder: Path, epochs: int, error: str | None) -> None:
    """Write down how a trial ended, for MLflow first: the driver may die between the two, and the record is asked."""
    measure = _measure(folder, epochs)
    whole = (folder / "model").is_dir()
    status = "failed" if error or not measure else "finished" if whole else "stopped early"
    facts = {"score": measure.value, "measure": str(measure)} if measure else {}
    why = error or (None if measure else "nothing in its validation can be compared")
    conclude(folder, tags={"outcome": status}, status="FAILED" if status == "failed" else "FINISHED")
    run_records.update(folder, status=status, epochs=epochs, error=why, **facts)


def _measure(folder: Path, epochs: int) -> Headline | None:
    """What a trial is judged by after so many epochs; None if its validation says nothing of the kind."""
    told = [event["metrics"] for event in events.read(folder)[0] if "metrics" in event and event["epoch"] + 1 == epochs]
    return Headline.of(told[-1], "val") if told else None


def _trial(record: dict[str, Any], run_dir: Path, data: DataSet) -> Any:
    from pipeline.launch.sweep import Trial

    folder = Path(record["run_dir"])
    facts = describe(
        name=record["name"],
        description=f"A trial of {run_dir.name}: `{shlex.join(record['overrides'])}`",
        params=dict(flatten(json.loads((folder / run_records.CONFIG).read_text())["unresolved"])),
        tags={"sweep": run_dir.name, "data": data.name, "data.digest": data.digest},
        data=data,
    )
    config = training(run_records.config(folder))
    return Trial(folder, config, {**facts, "parent": str(run_dir)}, record["status"] in ENDED)


def _line(trials: Sequence[dict[str, Any]], trial: dict[str, Any]) -> str:
    """One trial's result, and how far the sweep is."""
    ended = [each for each in trials if "epochs" in each]
    head = f"trial {len(ended)}/{len(trials)}".ljust(12)
    words = shlex.join(trial["overrides"])
    if trial["status"] == "failed":
        return f"{head}FAILED  {words}: {trial['error']}"
    leader = max((each["score"] for each in ended if each["status"] == "finished"), default=None)
    star = "  best so far" if trial["status"] == "finished" and trial["score"] == leader else ""
    early = ", stopped early" if trial["status"] == "stopped early" else ""
    return f"{head}val {trial['measure']}  epochs {trial['epochs']}{early}  {words}{star}"


def _best(trials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The best on validation after all of its epochs, the first of equals.

    Raises: LaunchError if none got there.
    """
    whole = [trial for trial in trials if trial["status"] == "finished"]
    if not whole:
        why = next((trial["error"] for trial in trials if trial.get("error")), "none ended")
        raise LaunchError(f"All {len(trials)} trials failed. The first: {why}")
    return max(whole, key=lambda trial: trial["score"])


def _draw(keys: Sequence[str], trials: Sequence[dict[str, Any]], best: dict[str, Any], path: Path) -> None:
    from pipeline.report.sweep import parallel_coordinates

    shown = [trial for trial in trials if trial["status"] in ENDED]
    rows = [([word.partition("=")[2] for word in trial["overrides"]], trial["score"]) for trial in shown]
    parallel_coordinates(keys, rows, f"val {best['measure'].rsplit(' ')[0]}", shown.index(best), path)


def _bare(key: str) -> str:
    return key.lstrip("+")
