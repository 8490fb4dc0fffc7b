"""`python -m benchmarks.throughput`: training's speed against a bare loop and against Lightning."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.ours import training
from benchmarks.question import Claim, Question, main, ratio

EPOCHS = 1


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
    "An epoch of `model=cnn` and `model=mlp` (batch 128, one thread). The bare loop takes the same net in the same "
    "batches and ends with the same weights, bit for bit. The idiomatic version has the same layers, optimiser and "
    "schedule, a data set of single items as torchvision's, a DataLoader and `self.log`. `train_cpu_s` is the training "
    "loop alone, validation included, with all threads of the process: of ours also the one that imports MLflow and "
    "opens its data base meanwhile, once a run, which weighs on a run of one epoch.",
    (*_contenders("cnn"), *_contenders("mlp")),
    (
        _against("train_cpu_s", "torch loop", "cnn", "of the bare loop's speed", 0.97),
        _against("train_cpu_s", "torch loop", "mlp", "of the bare loop's speed", 0.97),
        _against("train_cpu_s", "Lightning", "cnn", "of idiomatic Lightning's speed", 1.5),
        _against("train_cpu_s", "Lightning", "mlp", "of idiomatic Lightning's speed", 3),
    ),
    shown=("train_cpu_s", "train_wall_s", "cpu_s", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
