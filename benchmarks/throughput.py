"""`python -m benchmarks.throughput`: training speed beside a bare loop and idiomatic Lightning."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender
from benchmarks.pipeline_train import training

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


BENCHMARK = Benchmark(
    "throughput",
    "Training speed",
    f"{EPOCHS} epochs of `model=cnn` and `model=mlp` (batch 128, one thread). The bare loop takes the same net in "
    "the same batches and ends with the same weights, bit for bit. Idiomatic Lightning has the same layers, "
    "optimiser and schedule, a data set of single items as torchvision's, a DataLoader and `self.log`. "
    "`epoch_cpu_s` is an epoch in the steady state, from the end of the first to the end of the last, with "
    "validation and all threads of the process. `train_cpu_s` is all of training, for the pipeline with the thread "
    "that imports MLflow and opens its database, once a run.\n\n"
    "The pipeline keeps memory that a step freed; the others take it from the kernel again, page by page "
    "([decisions](explanation/decisions.md)). That gains more than Lightning's hooks cost: 530 to 580 µs a step with a "
    "net of 8 hidden units and batches of 32 (3 runs). Of these a sampling profiler finds 133 µs in callbacks and "
    "their callers, 65 in noting which hook runs, 65 in clearing gradients (half of it torch's own), 67 in counting "
    "losses and correct predictions, which the bare loop does not do, and 29 in looking up the arguments of "
    "`training_step`.\n\n"
    "The limit of the MLP against idiomatic Lightning is the step itself, which the bare loop takes too. In torch's "
    "profile of 9.0 ms, 5.2 are matrix products at 79 GFLOPS, all that the core has, and 1.6 the random numbers of "
    "dropout, .76 ms a layer. With 16-bit random numbers a layer's dropout would take .28 instead of .90 ms and the "
    "ratio would come near 3, but every net with dropout would have other weights.\n\n"
    "Removed so far: copies of metrics kept like weights, generators around hooks, a kernel that checked whether "
    "the loss is finite, pathlib. Batches are copied row by row (20 µs for 128 images, 118 before).",
    (*_contenders("cnn"), *_contenders("mlp")),
    (
        _against(EPOCH, "torch loop", "cnn", "speed relative to the bare loop", 0.97),
        _against(EPOCH, "torch loop", "mlp", "speed relative to the bare loop", 0.97),
        _against(EPOCH, "Lightning", "cnn", "speed relative to idiomatic Lightning", 1.5),
        _against(EPOCH, "Lightning", "mlp", "speed relative to idiomatic Lightning", 3),
        Claim(
            "mlp: the bare loop relative to idiomatic Lightning", ratio(EPOCH, "Lightning, mlp", "torch loop, mlp"), 3
        ),
    ),
    shown=(EPOCH, "train_cpu_s", "train_wall_s", "cpu_s", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
