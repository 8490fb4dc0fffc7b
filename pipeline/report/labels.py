"""Positions of the labels of a chart, so that none covers another, a point or much of a line."""

import math
from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
Anchored = tuple[float, float, str]  # x, y and text-anchor of a label
Box = tuple[float, float, float, float]  # left, top, right, bottom
LETTER, LINE = 6.7, 16  # approximate width of a letter in a label, and height of a label


def around(x: float, y: float) -> list[Anchored]:
    """Candidate positions of a point's label: beside it, above and below it, then on growing rings around it."""
    near = [(x + 8, y + 4, "start"), (x - 8, y + 4, "end"), (x, y - 10, "middle"), (x, y + 18, "middle")]
    for radius in range(14, 200, 6):
        for degrees in range(0, 360, 15):
            right, down = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            anchor = "start" if right > 0.3 else "end" if right < -0.3 else "middle"
            near.append((x + radius * right, y + radius * down + 4, anchor))
    return near


class Labels:
    """Positions of the labels of a panel, one after the other, so that none covers another or a point."""

    def __init__(self, within: Box, points: Sequence[Box], line: Sequence[Point]):
        self.within, self.taken = within, list(points)
        self.line = [
            box_of(x1 + (x2 - x1) * step / 30, y1 + (y2 - y1) * step / 30, 4, 1, "middle")
            for (x1, y1), (x2, y2) in pairwise(line)
            for step in range(31)
        ]

    def place(self, name: str, candidates: Sequence[Anchored]) -> Anchored:
        """The best candidate: it covers no label and no point, little of the line, and is near the first candidate."""
        size, (first_x, first_y, _) = LETTER * len(name), candidates[0]
        left, top, right, bottom = self.within
        best, least = candidates[0], math.inf
        for place in sorted(candidates, key=lambda place: math.hypot(place[0] - first_x, place[1] - first_y)):
            cost = math.hypot(place[0] - first_x, place[1] - first_y)
            if cost >= least:  # nor can a place that is still farther away cost less
                break
            box = box_of(place[0], place[1] - 4, size, LINE, place[2])
            if left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom:
                cost += 50 * sum(_overlap(box, other) for other in self.taken)
                cost += sum(_overlap(box, piece) for piece in self.line) if cost < least else 0
                best, least = (place, cost) if cost < least else (best, least)
        self.taken.append(box_of(best[0], best[1] - 4, size, LINE, best[2]))
        return best


def _overlap(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    return max(0.0, min(one[2], other[2]) - max(one[0], other[0])) * max(
        0.0, min(one[3], other[3]) - max(one[1], other[1])
    )


def box_of(x: float, y: float, width: float, height: float, anchor: str) -> Box:
    """The box whose anchor (start, middle or end of its middle line) is at x, y."""
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return left, y - height / 2, left + width, y + height / 2
