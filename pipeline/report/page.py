"""The results page: one self-contained HTML file for screens, phones and print."""

from collections.abc import Sequence

import numpy as np

from pipeline.report import charts
from pipeline.report.claims import Claim
from pipeline.report.markdown import costs, grouped
from pipeline.report.references import REFERENCES
from pipeline.report.sections import Recorded, Section, section, shade
from pipeline.runs.results import Result
from pipeline.types import PrimaryMetric


def html(entries: Sequence[Result], claims: Sequence[Claim], recorded: dict[str, Recorded]) -> str:
    """The page, from committed results, the table of claims, and what else is recorded of each experiment."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = grouped(entries)
    panels = compared(entries)
    cpu_s = costs(entries)
    order = [system.name for _, systems, _ in panels for system in sorted(systems, key=lambda system: system.error)]
    sections = [section(name, groups[name], cpu_s[name], recorded.get(name, Recorded())) for name in order]
    return environment.get_template("page.html").render(
        sections=sections,
        by_data=_by_data(sections),
        without_errors=next((each for each in sections if each.lacks_errors), None),
        claims=claims,
        panels=[charts.costs([panel]) for panel in charts.comparable(panels)],
        rules=charts.RULES,
        shade=shade,
    )


def _by_data(sections: Sequence[Section]) -> list[tuple[str, list[Section]]]:
    """The sections of each data set, in the order in which the data sets appear first."""
    names = dict.fromkeys(each.data for each in sections)
    return [(name, [each for each in sections if each.data == name]) for name in names]


def compared(entries: Sequence[Result]) -> list[charts.Panel]:
    """Cost and error of every experiment, in comparable groups by data set and metric, the largest group first."""
    panels: dict[str, list[charts.System]] = {}
    published: dict[str, list[tuple[str, float]]] = {}
    cpu_s = costs(entries)
    for name, group in grouped(entries).items():
        metrics = [metric for entry in group if (metric := PrimaryMetric.of(entry["metrics"]))]
        percent = metrics[0].unit == " %"
        values = [100 - metric.value if percent else metric.value for metric in metrics]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        measure = "error, %" if percent else metrics[0].name
        data = group[0]["dataset"]["name"]
        title = f"{data}: {measure}"
        if percent:
            published[title] = [
                (reference.name, 100 - reference.accuracy) for reference in REFERENCES if reference.data == data
            ]
        panels.setdefault(title, []).append(
            charts.System(name, float(np.mean(cpu_s[name])), float(np.mean(values)), sd)
        )
    comparable = [(title, systems, published.get(title, [])) for title, systems in panels.items()]
    return sorted(comparable, key=lambda panel: (-len(panel[1]), panel[0]))
