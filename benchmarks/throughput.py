"""`python -m benchmarks.throughput`: training's speed against a bare loop and against Lightning."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.ours import training
from benchmarks.question import Claim, Question, main, ratio

EPOCHS, EPOCH = 3, "epoch_cpu_s"


def _contenders(model: str) -> list[Contender]:
    arguments = [model, str(EPOCHS), "{pair}"]
    words = [f"model={model}", "data=mnist", "data.allow_sample=false", "model.net.dropout=0"]
    return [
        training(f"pipeline, {model}", *words, f"trainer.max_epochs={EPOCHS}"),
        Contender(f"torch loop, {model}", [*PYTHON, "benchmarks.contenders.torch_loop", *arguments]),
        Contender(f"Lightning, {model}", [*PYTHON, "benchmarks.contenders.plain_lightning", *arguments]),
    ]


def _against(measure: str, other: str, model: str, what: str, bar: float) -> Claim:
    return Claim(f"{model}: {what}", ratio(measure, f"{other}, {model}", f"pipeline, {model}"), bar)


QUESTION = Question(
    "throughput",
    "Training's speed",
    f"{EPOCHS} epochs of `model=cnn` and `model=mlp` (batch 128, one thread). The bare loop takes the same net in the "
    "same batches and ends with the same weights, bit for bit. The idiomatic version has the same layers, optimiser "
    "and schedule, a data set of single items as torchvision's, a DataLoader and `self.log`. `epoch_cpu_s` is an "
    "epoch of steady training, from the end of the first to the end of the last, validation included, with all "
    "threads of the process; `train_cpu_s` is all of training: of ours also the thread that meanwhile imports MLflow "
    "and opens its data base, once a run.\n\nOurs keeps the memory that a step gave back, which the others take of the "
    "kernel anew, page by page ([decisions](decisions.md)): that is worth what Lightning does around a step, and more. "
    "With a net of 8 hidden units and batches of 32 that is 530 to 580 µs (3 runs); a sampling profiler finds 133 in "
    "callbacks and what calls them, 65 in noting which hook runs, 65 in clearing gradients (half of it torch's own), "
    "67 in counting losses and right answers, which the bare loop does not do, and 29 in looking up what "
    "`training_step` takes. What limits the MLP against idiomatic Lightning is the "
    "step itself, which the bare loop takes, too: in torch's profile of 9.0 ms, 5.2 are products of matrices at 79 "
    "GFLOPS, all that the core has, and 1.6 the random numbers of dropout, .76 ms a layer. Drawn as 16-bit numbers, "
    "a layer's dropout takes .28 ms for .90: the ratio would come near 3 and every net with dropout would have other "
    "weights, so it is torch's own. Taken away so far: notes "
    "that were kept like weights, generators around hooks, a kernel to see whether the loss is a number, pathlib; and "
    "batches are copied row by row (20 µs of 128 images, 118 before).",
    (*_contenders("cnn"), *_contenders("mlp")),
    (
        _against(EPOCH, "torch loop", "cnn", "of the bare loop's speed", 0.97),
        _against(EPOCH, "torch loop", "mlp", "of the bare loop's speed", 0.97),
        _against(EPOCH, "Lightning", "cnn", "of idiomatic Lightning's speed", 1.5),
        _against(EPOCH, "Lightning", "mlp", "of idiomatic Lightning's speed", 3),
        Claim("mlp: the bare loop's, of idiomatic Lightning's", ratio(EPOCH, "Lightning, mlp", "torch loop, mlp"), 3),
    ),
    shown=(EPOCH, "train_cpu_s", "train_wall_s", "cpu_s", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
