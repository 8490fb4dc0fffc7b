"""Name the labels of a user's own data that look wrong, by classifiers that did not see them (confident learning)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.own.samples import samples
from pipeline.data.own.tables import Columns
from pipeline.evaluation.label_errors import suspects
from pipeline.training import label_check

MIN_AGREEMENT = 0.8  # of the classifiers with the labels; below it they know too little to judge a label
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Suspect:
    """A sample whose label looks wrong, the class that it looks like, and the probabilities of both."""

    sample: str
    label: str
    probability: float
    looks_like: str
    its_probability: float


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """The suspects, the most certain first; None if the classifiers agree with too few labels to judge any."""

    samples: int
    agreement: float  # share of the labels that the classifiers predict
    suspects: tuple[Suspect, ...] | None

    def lines(self) -> Iterator[str]:
        """Lines for the terminal."""
        by = f"small classifiers in cross-validation, which predict {self.agreement:.0%} of the labels"
        if self.suspects is None:
            yield f"labels      not judged by {by}: too few"
            return
        if not self.suspects:
            yield f"labels      none of {self.samples:,} looks wrong to {by}"
            return
        noun = "label looks" if len(self.suspects) == 1 else "labels look"
        yield f"labels      {len(self.suspects):,} {noun} wrong to {by}; look at them before you change one"
        for each in self.suspects[:SHOWN]:
            seen = f"{each.its_probability:.0%}; {each.label} {each.probability:.0%}"
            yield f"            {each.sample}: {each.label}, looks like {each.looks_like} ({seen})"
        if len(self.suspects) > SHOWN:
            yield f"            and {len(self.suspects) - SHOWN:,} more (--json)"


def check_labels(path: Path, text_column: str | None, label_column: str | None) -> LabelCheck:
    """Check all labels of a data set.

    Raises: DataError for data that can't be read.
    """
    found = samples(path.expanduser(), Columns(text_column, label_column))
    content = found.content
    if isinstance(content, np.ndarray):
        score_NC = label_check.of_images(content, found.label_N)
    else:
        score_NC = label_check.of_texts(content, found.label_N)
    agreement = float((score_NC.argmax(axis=1) == found.label_N).mean())
    if agreement < MIN_AGREEMENT:
        return LabelCheck(len(found.names), agreement, None)
    named = []
    for place, likely in zip(*suspects(score_NC, found.label_N), strict=True):
        given = found.label_N[place]
        named.append(
            Suspect(
                found.names[place],
                found.classes[given],
                round(float(score_NC[place, given]), 4),
                found.classes[likely],
                round(float(score_NC[place, likely]), 4),
            )
        )
    return LabelCheck(len(found.names), agreement, tuple(named))
