"""The trail of a training: what its weights were after steps 1, 10, 100, … and after each epoch.

A trail lies beside a model's weights and in the committed results. Whoever trains the first steps again compares with
it, in seconds. It holds nothing of the machine, so equal trainings leave equal files. A model that is not trained by
steps (a fitted baseline, an ensemble) has one entry, its stored weights.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.files import sha256
from pipeline.runs import checkpoints

if TYPE_CHECKING:  # importing numpy costs .1 s
    import numpy as np

FILE = "trail.json"
COMMITTED_EPOCHS = 8  # in a committed result, evenly spaced, the last among them
SIGNS, LENGTH = 8, 4096  # random vectors that weights are projected on; each repeats itself along a longer array

# The envelope of rounding. `MOVED` bounds the distance between two trainings after so many steps, as a share of how far
# the weights have moved from the initial ones. Other instructions (SSE4.1 for AVX2) moved mnist_cnn by .0002 at step 1
# and .005 at step 10, which is the most of the nets that were measured; a learning rate changed by 1 % moves any net by
# .01 at step 1. Later on rounding grows as other changes do, so that it can't be told from them.
MOVED = {1: 0.002, 10: 0.008}
INITIAL = 1e-5  # the same of the initial weights, as a share of their norm
LOSS = 1e-3  # relative difference of the loss

Verdict = Literal["identical", "equal", "different", "unverifiable"]


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of a training after a step.

    `weights` is the SHA-256 of all that is trained, a GAN's critic included. `projection` are the parameters' products
    with fixed random vectors of signs: few numbers whose differences estimate how far two sets of weights lie apart.
    The last entry of a trail is the stored model: `weights` is the digest of its file, and `loss` is absent.
    """

    step: int
    epoch: int | None  # the number of whole epochs; None within an epoch
    weights: str
    loss: float | None = None  # of the step
    norm: float | None = None  # of all parameters
    projection: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two trails compared.

    `identical`: equal digests. `equal`: other digests, and the first ten steps within the envelope of rounding.
    `unverifiable`: no step to compare.
    """

    verdict: Verdict
    steps: int  # the last step that was compared
    first_difference: int | None  # the first step after which the weights differ


Columns = dict[str, list[Any]]


def columns(trail: Sequence[Entry]) -> Columns:
    """The trail as JSON, a list for each field."""
    return {each.name: [getattr(entry, each.name) for entry in trail] for each in fields(Entry)}


def entries(found: Columns) -> list[Entry]:
    """The reverse of `columns`."""
    return [Entry(*row) for row in zip(*(found[each.name] for each in fields(Entry)), strict=True)]


def write(
    folder: Path, trained: Sequence[Entry] = (), *, step: int, epoch: int, arrays: "Sequence[np.ndarray]" = ()
) -> None:
    """Write FILE into a model folder whose weights are there: what training recorded, then the stored weights.

    `arrays` are the weights of a model that is not trained by steps.
    """
    digests = {str(path.relative_to(folder)): sha256(path) for path in folder.rglob(f"*{checkpoints.MODEL}")}
    norm, projection = projected(arrays) if arrays else (None, [])
    stored = Entry(step, epoch, checkpoints.digest_of_weights(digests), None, norm, projection)
    (folder / FILE).write_text(json.dumps(columns([*trained, stored])) + "\n")


def read(folder: Path) -> list[Entry]:
    """The trail in a model folder; empty for a model stored before there were trails."""
    file = folder / FILE
    return entries(json.loads(file.read_text())) if file.is_file() else []


def shortened(trail: Sequence[Entry]) -> list[Entry]:
    """The trail that a committed result holds: of many epochs, COMMITTED_EPOCHS evenly spaced."""
    ends = [entry.step for entry in trail[:-1] if entry.epoch is not None]
    count = min(COMMITTED_EPOCHS, len(ends))
    kept = {0, *(ends[-1 - index * len(ends) // count] for index in range(count))}
    trained = [entry for entry in trail[:-1] if entry.step in kept or str(entry.step).strip("0") == "1"]
    return [*trained, *trail[-1:]]


def due(step: int, before: int) -> bool:
    """Whether a power of ten lies above `before`, the steps so far, and not above `step`."""
    return step > before and (before == 0 or len(str(step)) > len(str(before)))


def projected(arrays: "Iterable[np.ndarray]") -> tuple[float, list[float]]:
    """The norm of some arrays' numbers, and their products with `SIGNS` fixed vectors of random signs.

    The expected square of a product is the square of the norm (Johnson and Lindenstrauss 1984), so the products of a
    difference of weights estimate its norm.
    """
    import numpy as np

    folded, squares = np.zeros(LENGTH), 0.0
    for array in arrays:
        flat = array.reshape(-1)
        whole = len(flat) - len(flat) % LENGTH
        folded += flat[:whole].reshape(-1, LENGTH).sum(axis=0, dtype=np.float64)
        folded[: len(flat) - whole] += flat[whole:]
        squares += float(np.square(flat, dtype=np.float64).sum())
    random = hashlib.shake_256(b"trail").digest(SIGNS * LENGTH // 8)  # the same with any version of any library
    bits = np.unpackbits(np.frombuffer(random, np.uint8)).reshape(SIGNS, LENGTH)
    return math.sqrt(squares), np.where(bits == 1, folded, -folded).sum(axis=1).tolist()


def compare(recorded: Sequence[Entry], repeated: Sequence[Entry], steps: int | None = None) -> Comparison:
    """Compare a repeated training with a recorded trail up to `steps`; without `steps` also the stored models."""
    expected, found = _by_place(recorded, steps), _by_place(repeated, steps)
    if not expected:
        return Comparison("unverifiable", 0, None)
    last = max(expected)[0]
    unequal = [
        place for place, entry in expected.items() if place not in found or found[place].weights != entry.weights
    ]
    if not unequal:
        return Comparison("identical", last, None)
    # Rounding begins with the first steps: weights that differ for the first time later on differ by something else.
    judged = [place for place, entry in expected.items() if place[0] <= max(MOVED) and entry.projection]
    near = unequal[0] in judged and all(
        place in found and _near(expected[place], found[place], recorded[0], repeated[0]) for place in judged
    )
    return Comparison("equal" if near else "different", last, unequal[0][0])


def _by_place(trail: Sequence[Entry], steps: int | None) -> dict[tuple[int, bool], Entry]:
    """Entries by their step and whether they are the stored model; that of a training cut short is left out."""
    places = {(entry.step, entry is trail[-1]): entry for entry in trail}
    return {
        (step, stored): entry
        for (step, stored), entry in places.items()
        if steps is None or (step <= steps and (not stored or len(trail) == 1))
    }


def _near(then: Entry, now: Entry, *initial: Entry) -> bool:
    """Whether two states after the same step lie within the envelope of rounding."""
    if then.step == 0:
        return math.dist(then.projection, now.projection) <= INITIAL * (then.norm or 0)
    starts = [start.projection if start.step == 0 else [0.0] * SIGNS for start in initial]
    moved = [
        [now - before for now, before in zip(each.projection, start, strict=True)]
        for each, start in zip((then, now), starts, strict=True)
    ]
    share = next(share for step, share in MOVED.items() if then.step <= step)
    loss = then.loss is None or now.loss is None or abs(now.loss - then.loss) <= LOSS * abs(then.loss)
    return loss and math.dist(*moved) <= share * math.hypot(*moved[0])
