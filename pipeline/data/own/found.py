"""The contents of a data set of a user's own, as `pipeline data check` finds them before any training."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.types import Split

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

FEW = 1000  # train samples below which a net trained from scratch disappoints
SHOWN = 10  # samples that are set aside, in the terminal; the JSON has all of them


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of each split and class after what was set aside, what was, and what else a user should know."""

    splits: dict[str, int]
    classes: dict[str, int]
    set_aside: dict[str, str]
    remarks: tuple[str, ...] = ()
    format: str = ""
    command: str | None = None  # trains on it; None if it can't be trained on
    error: str | None = None  # why not

    def json(self) -> dict[str, object]:
        """The object that `--json` prints; remarks are `kind: text`."""
        remarks = [re.sub(r"^(\w+)  +", r"\1: ", remark) for remark in self.remarks]
        return {**asdict(self), "remarks": remarks}


def found(
    truths: "Mapping[Split, np.ndarray | Tensor]",
    labels: Sequence[str],
    set_aside: Mapping[str, str],
    remarks: Iterable[str],
) -> Found:
    """Count the (N,) labels of each split; remarks on what is set aside are left out, as it is listed in full."""
    counts: Counter[str] = Counter()
    for truth in truths.values():
        counts.update(labels[label] for label in truth.tolist())
    rows: dict[str, int] = {split: len(truth) for split, truth in truths.items()}
    others = tuple(remark for remark in remarks if not remark.startswith("set aside"))
    return Found(rows, {label: counts[label] for label in labels}, dict(set_aside), others)


def shown_set_aside(set_aside: Mapping[str, str]) -> Iterator[str]:
    """Lines on the samples that are set aside, the first ten by name."""
    for name, why in list(set_aside.items())[:SHOWN]:
        yield f"set aside   {name}: {why}"
    if len(set_aside) > SHOWN:
        yield f"set aside   and {len(set_aside) - SHOWN:,} more"
