"""The schema of the configuration: types, ranges and choices of its keys."""

import math
import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Rule:
    """The values that a key may hold: a type, and a range (both ends included), a set of choices or a pattern."""

    type: type
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str | int, ...] = ()
    null: bool = False
    span: bool = False  # a list of two, the least and the most, is accepted as well
    many: bool = False  # a list
    pattern: str = ""  # that the whole text matches
    hint: str = ""  # the pattern in words

    def problem(self, value: object) -> str | None:
        """The fault of a value, as `expected …`; None if it has none."""
        if (value is None and self.null) or (value in self.choices and type(value) is not bool):
            return None
        if self.many:
            single = replace(self, many=False, null=False)
            fits = isinstance(value, list) and not any(single.problem(item) for item in value)
            return None if fits else "expected a list such as [a,b]"
        if self.span and isinstance(value, list):
            ends = [replace(self, span=False).problem(end) for end in value]
            return None if ends == [None, None] and value[0] <= value[1] else "expected [least,most]"
        number = self.type in (int, float)
        fits = isinstance(value, (int, float) if self.type is float else self.type)
        if self.choices and not number:
            return f"expected one of {', '.join(map(str, self.choices))}"
        if not fits or (number and isinstance(value, bool)):
            kind = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[self.type]
            return f"expected {kind}" + "".join(f" or {choice}" for choice in self.choices)
        if self.pattern and not re.fullmatch(self.pattern, str(value)):
            return f"expected {self.hint}"
        if number and not self.low <= float(value) <= self.high:  # type: ignore[arg-type]
            return f"expected a number from {self.low:g} to {self.high:g}"
        return None


# Names become folders, files and models of the registry, are printed by terminals of any encoding, and come before
# `@latest` and `-SEED`.
NAME = Rule(
    str,
    pattern=r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}",
    hint="a name of up to 100 ASCII letters, digits, _ . + or -, a letter or digit first",
)
TINY = 1e-12  # the smallest rate: zero would train nothing
SCHEMA: dict[str, Rule] = {
    "name": NAME,
    "seed": Rule(int, 0, 2**32 - 1),
    "requires.judge": Rule(str, null=True),
    "requires.init_from": Rule(str, null=True),
    "requires.teacher": Rule(str, null=True),
    "requires.members": Rule(str, null=True, many=True),
    "data.name": NAME,
    "data.mirror": Rule(str, null=True),
    "data.allow_sample": Rule(bool),
    "data.batch_size": Rule(int, 1, 1_000_000),
    "data.val_size": Rule(float, TINY, 10**9),  # below 1 a share, where the data takes shares
    "data.test_size": Rule(float, TINY, 10**9),
    "data.folds": Rule(int, 2, 1000),
    "data.fold": Rule(int, 0, 999),
    "data.words": Rule(int, 1, 10**9),
    "data.max_tokens": Rule(int, 1, 10**9),
    "data.vocabulary_size": Rule(int, 3, 10**9),
    "data.dropped_words": Rule(int, 0, 10**9),
    "data.labeled_repeats": Rule(int, 0, 1000),
    "data.chunks": Rule(int, 0, 1000),
    "model.label_smoothing": Rule(float, 0, 1),
    "model.logit_match_weight": Rule(float, 0, math.inf),
    "model.vat_epsilon": Rule(float, 0, math.inf),
    "model.net.crop": Rule(int, 0, 10**9),
    "model.net.word_dropout": Rule(float, 0, 1),
    "model.optimizer.lr": Rule(float, TINY, 1000),
    "model.optimizer.weight_decay": Rule(float, 0, 1000),
    "model.r1": Rule(float, 0, math.inf),
    "model.r1_every": Rule(int, 1, 1_000_000),
    "trainer.max_epochs": Rule(int, 1, 1_000_000),
    "trainer.precision": Rule(str, choices=("32-true", "64-true", "bf16-mixed", "16-mixed")),
    "trainer.shards": Rule(int, 1, 1024),
    "trainer.accumulate_grad_batches": Rule(int, 1, 1_000_000),
    "trainer.gradient_clip_val": Rule(float, TINY, math.inf, null=True),
    "trainer.ema_decay": Rule(float, 0, 1, null=True),
    "trainer.checkpoint_every_s": Rule(float, 0, math.inf),
    "trainer.checkpoint_every_steps": Rule(int, 1, 10**9, null=True),
    "trainer.keep_checkpoints": Rule(int, 1, 1000),
    "cluster.address": Rule(str),
    "cluster.workers": Rule(int, 1, 10_000, choices=("auto",), span=True),
    "cluster.threads_per_worker": Rule(int, 1, 1024),
    "cluster.gpus_per_worker": Rule(int, 0, 1, choices=("auto",)),
    "tracking.uri": Rule(str),
}
REQUIRES = tuple(key.removeprefix("requires.") for key in SCHEMA if key.startswith("requires."))
GROUPS = ("requires", "data", "model", "trainer", "cluster", "tracking")
TOP_LEVEL = ("name", "seed", *GROUPS)
OPTIONAL = ("cluster.address",)
ALWAYS_SET = tuple(
    key for key in SCHEMA if key.split(".")[0] in ("trainer", "cluster", "tracking") and key not in OPTIONAL
)
SOURCE_KEYS = ("mirror", "allow_sample", "sample")  # where data may come from; the data module never sees them
CLOSED_GROUPS = ("requires", "trainer", "cluster", "tracking")  # without other keys than the schema's
