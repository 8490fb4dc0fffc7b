"""SVG charts: self-contained, for light and dark colour schemes and for print."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pipeline.report.labels import Labels, Point, around, box_of

# The results page sets these colours itself; a stand-alone chart includes them.
COLOURS = """
svg{font:11px system-ui,sans-serif;--ink:#1c2330;--faint:#5f6978;--line:#d9dee6;--a:#0b63b0;--b:#c2570c;--page:#fff}
@media(prefers-color-scheme:dark){svg{--ink:#e6e9ef;--faint:#98a2b3;--line:#39414f;--a:#6db3f2;--b:#f0a35e;--page:#12161d}}
"""
RULES = """
.grid{stroke:var(--line)} .tick{fill:var(--faint)}
.name{fill:var(--ink);paint-order:stroke;stroke:var(--page);stroke-width:3} .title{fill:var(--ink);font-weight:600}
.a{stroke:var(--a);fill:none} .b{stroke:var(--b);fill:none} .dot{fill:var(--a);stroke:var(--page);stroke-width:1.5}
.front{stroke:var(--a);fill:none;stroke-dasharray:3 3} .best{fill:var(--b)}
.published{stroke:var(--faint);stroke-dasharray:1 3} .bar{stroke:var(--a)} .leader{stroke:var(--faint)}
"""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear or logarithmic scale from values to coordinates."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values between the ends: 1, 3, 10, 30, … (more on a short scale), or steps of 1, 2 or 5."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            digits = (1, 3) if self.high / self.low > 10 else (1, 1.5, 2, 3, 5, 7)
            values = [digit * 10.0**power for power in powers for digit in digits]
        else:
            rough = (self.high - self.low or 1) / 4
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
            values = [step * n for n in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        return [value for value in values if self.low <= value <= self.high]


@dataclass(frozen=True, slots=True)
class System:
    """An experiment in a chart of error against cost."""

    name: str
    cost: float  # CPU-seconds
    error: float  # lower is better: an error rate in percent, a distance or a perplexity
    sd: float


def standalone(svg: str) -> str:
    """A chart with its styles, as the content of an SVG file."""
    head, _, body = svg.partition(">")
    return f"{head}><style>{COLOURS}{RULES}</style>{body}\n"


def curves(title: str, lines: Sequence[tuple[str, Sequence[Point]]]) -> str:
    """Lines over epochs; each is a CSS class, a (train) or b (validation), with its points."""
    width, height = 300, 190
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points]
    margin = (max(ys) - min(ys)) * 0.06 or 0.01
    x = Axis(min(xs), max(max(xs), min(xs) + 1), 44, width - 10)
    y = Axis(min(ys) - margin, max(ys) + margin, height - 26, 24)
    drawn = [_text(44, 14, title, "title"), *_grid(x, y)]
    for kind, points in lines:
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        drawn.append(f'<polyline class="{kind}" points="{path}"/>')
        drawn += [f'<circle class="{kind}" r="1.6" cx="{x(a):.1f}" cy="{y(b):.1f}"/>' for a, b in points]
    drawn.append(_text(width - 10, height - 2, "epoch", "tick", "end"))
    return _svg(width, height, drawn, f"{title} over epochs")


def shifted(kind: str, unit: str, lines: Sequence[Sequence[Point]]) -> str:
    """Accuracy against the strength of a shift, with a line for each seed; what is not shifted is at 0."""
    width, height = 250, 170
    x = Axis(min(x for x, _ in lines[0]), max(x for x, _ in lines[0]), 34, width - 12)
    y = Axis(0, 100, height - 40, 22)
    drawn = [_text(34, 14, kind, "title"), *_grid(x, y)]
    for points in lines:
        path = " ".join(f"{x(strength):.1f},{y(100 * accuracy):.1f}" for strength, accuracy in points)
        drawn.append(f'<polyline class="a" points="{path}"/>')
        drawn += [
            f'<circle class="a" r="1.6" cx="{x(strength):.1f}" cy="{y(100 * accuracy):.1f}">'
            f"<title>{strength:g}: {accuracy:.1%}</title></circle>"
            for strength, accuracy in points
        ]
    drawn.append(_text(width - 12, height - 6, unit, "tick", "end"))
    return _svg(width, height, drawn, f"accuracy in percent by {kind}: {unit}")


def reliability(bins: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """A reliability diagram: accuracy against confidence in bins, before (b) and after calibration (a)."""
    side = 260
    x, y = Axis(0, 1, 36, side - 10), Axis(0, 1, side - 30, 10)
    drawn = [*_grid(x, y)]
    drawn.append(f'<line class="published" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>')
    for kind, name in (("b", "uncalibrated"), ("a", "calibrated")):
        largest = max(count for count, _, _ in bins[name])
        path = " ".join(f"{x(confidence):.1f},{y(accuracy):.1f}" for _, confidence, accuracy in bins[name])
        drawn.append(f'<polyline class="{kind}" points="{path}"/>')
        drawn += [
            f'<circle class="{kind}" r="{1.5 + 3 * count / largest:.1f}" cx="{x(confidence):.1f}" '
            f'cy="{y(accuracy):.1f}"><title>{count:,}: {confidence:.1%} sure, {accuracy:.1%} right</title></circle>'
            for count, confidence, accuracy in bins[name]
        ]
    drawn.append(_text(side - 10, side - 2, "confidence; upwards: accuracy", "tick", "end"))
    return _svg(side, side, drawn, "reliability diagram")


Lines = Sequence[tuple[str, float]]  # names and errors of published results
Panel = tuple[str, Sequence[System], Lines]


def comparable(panels: Sequence[Panel]) -> Sequence[Panel]:
    """The panels of more than one system; all of them if there are no such panels."""
    return [panel for panel in panels if len(panel[1]) > 1] or panels


def costs(panels: Sequence[Panel], columns: int = 2) -> str:
    """Error against CPU-seconds on logarithmic scales, with a panel for each group of comparable systems.

    A dashed line joins the Pareto-optimal systems; horizontal lines are published results, whose cost is unknown.
    """
    width, height = 560, 400
    panels = comparable(panels)
    rows = math.ceil(len(panels) / columns)
    drawn = []
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        inner = "".join(_panel(*panel, width, height))
        drawn.append(f'<g transform="translate({column * width},{row * height})">{inner}</g>')
    name = ", ".join(title for title, _, _ in panels)
    return _svg(min(columns, len(panels)) * width, rows * height, drawn, f"error against CPU-seconds: {name}")


def front(systems: Sequence[System]) -> list[System]:
    """The Pareto-optimal systems by cost: no other is at least as good in cost and error, and better in one."""

    def dominated(system: System) -> bool:
        own = system.cost, system.error
        return any(
            rival.cost <= own[0] and rival.error <= own[1] and (rival.cost, rival.error) != own for rival in systems
        )

    return sorted((system for system in systems if not dominated(system)), key=lambda system: system.cost)


def _panel(title: str, systems: Sequence[System], lines: Lines, width: float, height: float) -> list[str]:
    floor = min([system.error for system in systems if system.error > 0], default=1.0) / 2
    shown = {system.name: (max(system.cost, 0.1), max(system.error, floor)) for system in systems}
    x = Axis(min(a for a, _ in shown.values()) / 1.6, max(a for a, _ in shown.values()) * 1.8, 46, width - 16, log=True)
    errors = [*(b for _, b in shown.values()), *(b for _, b in lines)]
    y = Axis(min(errors) / 1.4, max(errors) * 1.4, height - 44, 34, log=True)
    drawn = [_text(46, 18, title, "title")]
    if any(system.error <= 0 for system in systems):  # a logarithmic scale has no zero: it is drawn below all others
        drawn += [*_grid(x, y, above=floor), _text(41, y(floor) + 4, "0", "tick", "end")]
    else:
        drawn += _grid(x, y)
    best = front(systems)
    corners = [(x(shown[system.name][0]), y(shown[system.name][1])) for system in best]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    drawn.append(f'<polyline class="front" points="{path}"/>')
    labels = Labels(
        (46, 22, width, height - 44), [box_of(x(a), y(b), 10, 10, "middle") for a, b in shown.values()], corners
    )
    for name, b in lines:
        drawn.append(f'<line class="published" x1="46" x2="{width - 16}" y1="{y(b):.1f}" y2="{y(b):.1f}"/>')
        sides = [(width - 18 - 90 * step, "end") for step in range(5)] + [(50.0, "start")]
        x_name, y_name, anchor = labels.place(name, [(left, y(b) + down, a) for left, a in sides for down in (-3, 11)])
        drawn.append(_text(x_name, y_name, name, "tick", anchor))
    names = []
    for system in sorted(systems, key=lambda system: shown[system.name][1]):
        a, b = (axis(value) for axis, value in zip((x, y), shown[system.name], strict=True))
        if system.sd and system.error > floor:
            ends = [y(min(max(system.error + s, y.low), y.high)) for s in (-system.sd, system.sd)]
            drawn.append(f'<line class="bar" x1="{a:.1f}" x2="{a:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>')
        kind = "dot best" if system in best else "dot"
        label = f"{system.name}: {system.error:.3g} ± {system.sd:.2g}, {system.cost:.0f} CPU-s"
        drawn.append(f'<circle class="{kind}" r="5" cx="{a:.1f}" cy="{b:.1f}"><title>{escape(label)}</title></circle>')
        x_name, y_name, anchor = labels.place(system.name, around(a, b))
        names.append(_text(x_name, y_name, system.name, "name", anchor))
        if math.hypot(x_name - a, y_name - 4 - b) > 18:  # too far from its point
            drawn.append(f'<path class="leader" d="M{a:.1f} {b:.1f}L{x_name:.1f} {y_name - 4:.1f}"/>')
    return [*drawn, *names, _text(width - 16, height - 12, "CPU-seconds of training", "tick", "end")]


def _grid(x: Axis, y: Axis, above: float = -math.inf) -> list[str]:
    """Grid lines and numbers at round values; on the vertical scale only those above a value."""
    drawn = []
    for value in x.ticks():
        place = x(value)
        drawn.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{y.start:.1f}" y2="{y.end:.1f}"/>')
        drawn.append(_text(place, y.start + 14, f"{value:g}", "tick", "middle"))
    for value in (value for value in y.ticks() if value > above):
        place = y(value)
        drawn.append(f'<line class="grid" y1="{place:.1f}" y2="{place:.1f}" x1="{x.start:.1f}" x2="{x.end:.1f}"/>')
        drawn.append(_text(x.start - 5, place + 4, f"{value:g}", "tick", "end"))
    return drawn


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, drawn: Sequence[str], label: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" '
    return head + f'aria-label="{escape(label)}">{"".join(drawn)}</svg>'
