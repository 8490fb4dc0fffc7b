"""Render docs/performance.md and its figures from the results."""

import json
from collections.abc import Sequence
from statistics import median

from benchmarks import (
    accuracy,
    growth,
    memory,
    noop,
    prediction,
    repro,
    scaling,
    serving,
    setup,
    shards,
    stages,
    startup,
    submit,
    text,
    throughput,
    tracking,
    verbs,
)
from benchmarks.benchmark import Benchmark
from benchmarks.harness import RESULTS, ROOT, Pair, load

BENCHMARKS: tuple[Benchmark, ...] = tuple(
    module.BENCHMARK
    for module in (
        startup,
        accuracy,
        throughput,
        prediction,
        serving,
        verbs,
        shards,
        scaling,
        submit,
        text,
        tracking,
        memory,
        growth,
        noop,
        repro,
        stages,
        setup,
    )
)
FIGURES = ROOT / "docs/images/performance"
UNITS = {
    "beside_ms_per_step": "{:.2f}",
    "_s": "{:.2f}",
    "_mb": "{:.0f}",
    "val": "{:.4f}",
    "test": "{:.4f}",
    "steps": "{:.0f}",
    "epochs": "{:.0f}",
    "texts": "{:,.0f}",
}
LABELS = {  # of measures that a figure shows
    "wall_s": "seconds",
    "cpu_s": "CPU-seconds",
    "repro_s": "seconds",
    "first_step_s": "seconds until the first step",
    "disk_mb": "MB",
    "before_s": "seconds from the start of the process to the end of the first step",
    "peak_mb": "MB",
    "p50_ms": "ms a request (p50)",
    "ms_per_step": "ms a step",
    "cpu_ms_per_step": "CPU-milliseconds a step",
}
HEAD = """# Performance

Speed and memory of the pipeline, beside Keras, plain PyTorch, Lightning and Ray.

```
python -m benchmarks.accuracy
python -m benchmarks
```

The first command takes one measurement, and resumes it if it was interrupted. The second writes this page from
`benchmarks/results/`.

- A value is the median over pairs, with the least and the greatest, and the number of pairs. A pair is one run of each
  contender, in immediate succession, each in a process of its own, on all cores if nothing else is said.
- Wall-clock seconds come first: they are what a person waits. CPU-seconds are of a process and all that it started;
  `peak_mb` is of its largest process.
- The load average before a run is of the minute before it, in which another run of the benchmark may have been busy.
- "The main job", "Training speed", "Scaling" and the first three pairs of "Seconds to 99 %" were measured when a step
  with shards still left its batch to Python's search for cycles: with equal weights, but more memory and more page
  faults a step than now.
- Contenders are written from published recipes in their own idiom (`benchmarks/contenders/`). Keras, on its torch
  backend, is installed by `pip install --no-deps -r benchmarks/requirements.lock`.

"""
GPU = """
## On a GPU

`python -m benchmarks.gpu` trains the main job's net and an LSTM in float32 and bf16. It measures throughput beside a
plain torch loop, and checks whether two runs, a resumed run, and one and two workers on one card end with the same
weights. It has not run on a GPU yet; a slow test runs it on a CPU, all but the LSTM in bf16.
Several GPUs and NCCL have never been tried.
"""


def render(benchmarks: Sequence[Benchmark] = BENCHMARKS) -> str:
    """The page in Markdown: a table of all claims, then a section a benchmark."""
    rows = "".join(
        f"| [{benchmark.title}](#{_anchor(benchmark.title)}) | {claim.name} | {claim.threshold} | "
        f"{claim.measured(pairs)} | {'yes' if claim.holds(pairs) else '**no**'} |\n"
        for benchmark in benchmarks
        for pairs in [load(benchmark.name)]
        for claim in benchmark.claims
        if claim.values(pairs)
    )
    table = f"| benchmark | claim | threshold | measured (pairs) | holds |\n|{' --- |' * 5}\n{rows}"
    return HEAD + table + "".join(_section(benchmark, load(benchmark.name)) for benchmark in benchmarks) + GPU


def _section(benchmark: Benchmark, pairs: list[Pair]) -> str:
    head = f"\n## {benchmark.title}\n\n`python -m benchmarks.{benchmark.name}`. {benchmark.text}\n\n"
    if not pairs:
        return head + "Not measured yet.\n"
    content = json.loads((RESULTS / f"{benchmark.name}.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    columns = f"| | {' | '.join(benchmark.shown)} |\n|{' --- |' * (len(benchmark.shown) + 1)}\n"
    rows = "".join(
        f"| {contender.name} | {' | '.join(_cell(pairs, contender.name, measure) for measure in benchmark.shown)} |\n"
        for contender in benchmark.contenders
    )
    figure = f"\n![{benchmark.title}](images/performance/{benchmark.name}.png)\n"
    loads = [run["load"] for pair in pairs for run in pair.values()]
    load = f"load average before the runs: {min(loads):.1f} to {max(loads):.1f}"
    return f"{head}{columns}{rows}{benchmark.more(pairs)}{figure}\n{content['machine']}; {load}; {versions}.\n"


def _cell(pairs: Sequence[Pair], name: str, measure: str) -> str:
    values = _values(pairs, name, measure)
    form = next((form for ending, form in UNITS.items() if measure.endswith(ending)), "{:.1f}")
    return form.format(median(values)) if values else ""


def _values(pairs: Sequence[Pair], name: str, measure: str) -> list[float]:
    """The measure of a contender in all runs that have it."""
    return [pair[name][measure] for pair in pairs if measure in pair.get(name, {})]


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def draw(benchmark: Benchmark, pairs: Sequence[Pair]) -> None:
    """Draw a bar a contender and a dot a run, of the first measure shown, or of each where they are parts."""
    from matplotlib.figure import Figure

    measure = benchmark.shown[0]
    names = [contender.name for contender in benchmark.contenders]
    rows = {name: _values(pairs, name, measure) for name in names}
    if benchmark.parts:
        rows = {f"{part}, {name}": _values(pairs, name, part) for part in benchmark.shown for name in names}
    rows = {name: values for name, values in rows.items() if values}
    figure = Figure(figsize=(8, 0.6 + 0.38 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(rows.items()):
        colour = "tab:blue" if "pipeline" in name else "tab:gray"
        axes.barh(place, median(values), color=colour, alpha=0.35)
        axes.plot(values, [place] * len(values), "o", color=colour, markersize=4)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("CPU-seconds" if benchmark.parts else LABELS[measure])
    axes.spines[["top", "right"]].set_visible(False)
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURES / f"{benchmark.name}.png", dpi=110, metadata={"Software": None})
