"""`python -m benchmarks.workers`: two workers against one on two cores, of the same global batch."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.question import Claim, Question, main, ratio

MODELS = {"cnn": ("model=cnn", "data=mnist", "data.allow_sample=false"), "lstm": ("model=lstm", "data=imdb")}
BATCHES = {"cnn": 512, "lstm": 128}
ONE, TWO, ALONE = "{}, 1 worker", "{}, 2 workers", "{}, half the batch, two runs at once"


def _contenders(model: str) -> tuple[Contender, ...]:
    words = {
        ONE: ("steady", "10", f"data.batch_size={BATCHES[model]}"),
        TWO: ("steady", "10", f"data.batch_size={BATCHES[model]}", "cluster.workers=2"),
        ALONE: ("at_once", "2", "steady", "10", f"data.batch_size={BATCHES[model] // 2}"),
    }
    return tuple(
        Contender(name.format(model), [*PYTHON, f"benchmarks.contenders.{contender}", *more, *MODELS[model]])
        for name, (contender, *more) in words.items()
    )


QUESTION = Question(
    "workers",
    "Two workers against one on two cores",
    "The time of a step, taken over ten seconds of training, of `pipeline train` in one process and as a Ray Train "
    "group of two (gloo, one thread each), of the same global batch: 512 images, 128 reviews.\n\nWhat limits it is, "
    "first, that half a batch takes more than half the time, and that the cores share cache and memory: two runs of "
    "half the batch that have nothing to do with each other are as much faster as the table says. The rest is in the "
    "group: agreeing on .9 MB of gradients, and of the LSTM on 11 MB, nearly all of them the word vectors', for which"
    " gloo alone takes 2.3 and 8.1 ms on an idle machine; and 4 to 6 ms a step that each worker computes longer than "
    "such a run, for which no cause was found (not the allocator, not the instruction set, no waiting). Until now "
    "each step also waited until the workers agreed whether to keep the state, and for batch norm's running means: at"
    " batch 128 a step took 18.8 to 19.4 ms, without these 15.6 to 16.6.",
    tuple(contender for model in MODELS for contender in _contenders(model)),
    tuple(
        Claim(f"{model}: {what}", ratio("ms_per_step", ONE.format(model), other.format(model)), 1.7)
        for model in MODELS
        for what, other in (("two workers are faster", TWO), ("two runs at once would be", ALONE))
    ),
    shown=("ms_per_step", "cpu_ms_per_step", "steps", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
