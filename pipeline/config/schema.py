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
    meaning: str = ""  # what the key sets

    def problem(self, value: object) -> str | None:
        """The fault of a value, as `expected …`; None if it has none."""
        if (value is None and self.null) or (value in self.choices and type(value) is not bool):
            return None
        if self.many:
            single = replace(self, many=False, null=False)
            fits = isinstance(value, list) and not any(single.problem(item) for item in value)
            return None if fits else "expected a list such as [a,b]"
        if self.span and isinstance(value, list):
            ends = [replace(self, span=False, null=False, choices=()).problem(end) for end in value]
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
        if number and not self.low <= value <= self.high:  # type: ignore[operator]
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
    "name": replace(NAME, meaning="the experiment's name, in run names, results and reports"),
    "seed": Rule(int, 0, 2**32 - 1, meaning="of the weights, the order of samples, augmentation and dropout"),
    "requires.judge": Rule(str, null=True, meaning="the classifier in whose features a generator is evaluated"),
    "requires.init_from": Rule(str, null=True, meaning="the model whose weights training starts from"),
    "requires.teacher": Rule(str, null=True, meaning="the model that pseudo-labels samples without a label"),
    "requires.members": Rule(str, null=True, many=True, meaning="the models of an ensemble"),
    "data.name": replace(NAME, meaning="the data set's name, in MLflow's experiments and in figures"),
    "data.mirror": Rule(
        str, null=True, meaning="a folder, file or address that has the data set, tried before the public ones"
    ),
    "data.allow_sample": Rule(bool, meaning="train on 5,000 embedded digits where MNIST can't be downloaded"),
    "data.batch_size": Rule(int, 1, 1_000_000, meaning="samples in a batch, of all workers together"),
    "data.val_size": Rule(
        float,
        TINY,
        10**9,
        meaning="validation samples taken from train: a share below 1 (your own texts), else a number",
    ),  # below 1 a share, where the data takes shares
    "data.test_size": Rule(
        float, TINY, 10**9, meaning="test samples taken from train: a share below 1 (your own texts), else a number"
    ),
    "data.folds": Rule(int, 2, 1000, meaning="parts that images without a test split are divided into"),
    "data.fold": Rule(int, 0, 999, meaning="the part that is the test split"),
    "data.words": Rule(int, 1, 10**9, meaning="words of the translator's list, the most frequent ones"),
    "data.max_tokens": Rule(int, 1, 10**9, meaning="words of a text that a net reads"),
    "data.vocabulary_size": Rule(int, 3, 10**9, meaning="different words that a net knows, the most frequent ones"),
    "data.dropped_words": Rule(int, 0, 10**9, meaning="most frequent words that are left out"),
    "data.labeled_repeats": Rule(
        int, 0, 1000, meaning="times that a labelled text is seen in an epoch, beside the unlabelled ones"
    ),
    "data.chunks": Rule(int, 0, 1000, meaning="parts into which a pseudo-labelled text is cut and seen again; 0: none"),
    "model.label_smoothing": Rule(float, 0, 1, meaning="probability that the target gives to the other classes"),
    "model.logit_match_weight": Rule(
        float, 0, math.inf, meaning="weight of the squared distance from the teacher's logits"
    ),
    "model.vat_epsilon": Rule(
        float,
        0,
        math.inf,
        meaning="size of the perturbation of virtual adversarial training, relative to the word vectors",
    ),
    "model.net.crop": Rule(int, 0, 10**9, meaning="pixels cut off each side before the first convolution"),
    "model.net.word_dropout": Rule(
        float, 0, 1, meaning="probability that a word is replaced by the unknown word in training"
    ),
    "model.optimizer.lr": Rule(float, TINY, 1000, meaning="learning rate, the largest of a schedule"),
    "model.optimizer.weight_decay": Rule(float, 0, 1000, meaning="weight decay of the optimiser"),
    "model.r1": Rule(float, 0, math.inf, meaning="weight of the discriminator's gradient penalty (R1); 0: none"),
    "model.r1_every": Rule(int, 1, 1_000_000, meaning="steps from one gradient penalty to the next"),
    "trainer.max_epochs": Rule(int, 1, 1_000_000, meaning="passes over the training split"),
    "trainer.precision": Rule(
        str,
        choices=("32-true", "64-true", "bf16-mixed", "16-mixed"),
        meaning="of floating-point numbers; `bf16-mixed` on GPUs that have it",
    ),
    "trainer.shards": Rule(
        int, 1, 1024, meaning="parts of each batch, a power of two, computed by as many workers or fewer"
    ),
    "trainer.accumulate_grad_batches": Rule(int, 1, 1_000_000, meaning="batches whose gradients are summed for a step"),
    "trainer.gradient_clip_val": Rule(
        float, TINY, math.inf, null=True, meaning="largest gradient norm; null: no clipping"
    ),
    "trainer.ema_decay": Rule(
        float,
        0,
        1,
        null=True,
        meaning="decay, per step, of the averaged weights that are validated and kept; null: no averaging",
    ),
    "trainer.checkpoint_every_s": Rule(float, 0, math.inf, meaning="seconds between checkpoints"),
    "trainer.checkpoint_every_steps": Rule(
        int, 1, 10**9, null=True, meaning="steps between checkpoints; null: by seconds alone"
    ),
    "trainer.keep_checkpoints": Rule(int, 1, 1000, meaning="latest checkpoints that are kept, beside the best"),
    "cluster.address": Rule(
        str, meaning="HOST:PORT of a Ray cluster's head; `auto`: the cluster that this machine belongs to"
    ),
    "cluster.workers": Rule(
        int,
        1,
        10_000,
        choices=("auto",),
        span=True,
        meaning="processes that share the shards; `[least,most]` on a cluster with as many as fit",
    ),
    "cluster.threads_per_worker": Rule(
        int, 1, 1024, meaning="threads of a worker; another number gives other sums in the last bits"
    ),
    "cluster.bits": Rule(
        str,
        choices=("native", "portable"),
        meaning="`portable`: matrix products give the same bits on processors of all makers, and take longer",
    ),
    "cluster.gpus_per_worker": Rule(
        int, 0, 1, choices=("auto",), meaning="`auto`: 1 where a GPU is available for every worker"
    ),
    "tracking.uri": Rule(str, meaning="MLflow's database file or server"),
}
REQUIRES = tuple(key.removeprefix("requires.") for key in SCHEMA if key.startswith("requires."))
GROUPS = ("requires", "data", "model", "trainer", "cluster", "tracking")
TOP_LEVEL = ("name", "seed", *GROUPS)
METRICS = "metrics"  # of one's own, name -> what computes it from predictions; it may be left out
OPTIONAL = ("cluster.address", "cluster.bits")  # older configurations lack the second
ALWAYS_SET = tuple(
    key for key in SCHEMA if key.split(".")[0] in ("trainer", "cluster", "tracking") and key not in OPTIONAL
)
SOURCE_KEYS = ("mirror", "allow_sample", "sample")  # where data may come from; the data module never sees them
CLOSED_GROUPS = ("requires", "trainer", "cluster", "tracking")  # without other keys than the schema's
