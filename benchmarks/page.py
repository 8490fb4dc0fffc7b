"""docs/performance.md and its pictures, made from what was measured."""

import json
from collections.abc import Sequence
from statistics import median

from benchmarks import accuracy, memory, noop, scaling, shards, stages, startup, text, throughput, tracking, verbs
from benchmarks.harness import RESULTS, ROOT, Pair, kept
from benchmarks.question import Question

QUESTIONS: tuple[Question, ...] = tuple(
    module.QUESTION
    for module in (accuracy, throughput, startup, stages, verbs, shards, scaling, text, tracking, memory, noop)
)
PICTURES = ROOT / "docs/images/performance"
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
LABELS = {
    "wall_s": "seconds",
    "before_s": "seconds from the start of the process to the end of the first step",
    "peak_mb": "MB",
    "ms_per_step": "ms a step",
    "cpu_ms_per_step": "CPU-milliseconds a step",
}
HEAD = """# Performance

Written by `python -m benchmarks` from the files in `benchmarks/results/`. Each question is a command, `python -m
benchmarks.NAME`, which runs the contenders in turn, each in a process of its own, and goes on where it was interrupted.
The contenders are written from published recipes in their own idiom (`benchmarks/contenders/`); Keras, on its torch
backend, comes with `pip install --no-deps -r benchmarks/requirements.lock`.

A figure is the median over the pairs, with the least and the most, and how many pairs there are. CPU-seconds are of a
process and all it started, `peak_mb` of its largest process; every contender has one thread a process.
Where the load average is over 1, other work ran beside: then seconds of the clock are too high, and ratios of
CPU-seconds are what counts.

"""


def render(questions: Sequence[Question] = QUESTIONS) -> str:
    """The page, in Markdown: all claims at a glance, then a section a question."""
    rows = "".join(
        f"| [{question.title}](#{_anchor(question.title)}) | {claim.what} | {claim.asked} | {claim.said(pairs)} | "
        f"{'yes' if claim.holds(pairs) else '**no**'} |\n"
        for question in questions
        for pairs in [kept(question.name)]
        for claim in question.claims
        if claim.values(pairs)
    )
    table = f"| question | claim | bar | measured (pairs) | holds |\n|{' --- |' * 5}\n{rows}"
    return HEAD + table + "".join(_section(question, kept(question.name)) for question in questions)


def _section(question: Question, pairs: list[Pair]) -> str:
    head = f"\n## {question.title}\n\n`python -m benchmarks.{question.name}`. {question.text}\n\n"
    if not pairs:
        return head + "Not measured yet.\n"
    content = json.loads((RESULTS / f"{question.name}.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    columns = f"| | {' | '.join(question.shown)} |\n|{' --- |' * (len(question.shown) + 1)}\n"
    rows = "".join(
        f"| {contender.name} | {' | '.join(_cell(pairs, contender.name, measure) for measure in question.shown)} |\n"
        for contender in question.contenders
    )
    picture = f"\n![{question.title}](images/performance/{question.name}.png)\n"
    loads = [run["load"] for pair in pairs for run in pair.values()]
    load = f"load average before the runs: {min(loads):.1f} to {max(loads):.1f}"
    return f"{head}{columns}{rows}{question.more(pairs)}{picture}\n{content['machine']}; {load}; {versions}.\n"


def _cell(pairs: Sequence[Pair], name: str, measure: str) -> str:
    values = _values(pairs, name, measure)
    form = next((form for ending, form in UNITS.items() if measure.endswith(ending)), "{:.1f}")
    return form.format(median(values)) if values else ""


def _values(pairs: Sequence[Pair], name: str, measure: str) -> list[float]:
    """Of the runs that there are."""
    return [pair[name][measure] for pair in pairs if measure in pair.get(name, {})]


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def draw(question: Question, pairs: Sequence[Pair]) -> None:
    """A bar a contender and a dot a run, by the first measure that is shown, or by each where they are parts."""
    from matplotlib.figure import Figure

    measure = question.shown[0]
    names = [contender.name for contender in question.contenders]
    rows = {name: _values(pairs, name, measure) for name in names}
    if question.parts:
        rows = {f"{part}, {name}": _values(pairs, name, part) for part in question.shown for name in names}
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
    axes.set_xlabel(LABELS.get(measure, "CPU-seconds"))
    axes.spines[["top", "right"]].set_visible(False)
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / f"{question.name}.png", dpi=110, metadata={"Software": None})
