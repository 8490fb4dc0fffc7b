"""`python -m benchmarks.prediction`: `pipeline predict` of one input, 10,000 pictures, 25,000 reviews."""

from benchmarks.benchmark import Benchmark, Claim, amount, main, ratio
from benchmarks.harness import DATA, PIPELINE, PYTHON, Contender, Outcome, no_figures

PICTURE, PICTURES, REVIEWS = DATA / "digit.png", "data/mnist/t10k-images-idx3-ubyte", "data/imdb/test.jsonl"
TORCH, ONE, TEXT = "import torch", "predict, one PNG", "predict, one text"
MANY, LOOP = "predict, 10,000 pictures", "plain loop, 10,000 pictures"
TEXTS, TEXT_LOOP = "predict, 25,000 reviews", "plain loop, 25,000 reviews"
TEXT_MODEL = "data=imdb model=lstm model.net.cell=none model.net.bidirectional=false trainer.max_epochs=1 name=reviews"


def draw() -> None:
    """Write a PNG of MNIST's size."""
    from PIL import Image

    DATA.mkdir(parents=True, exist_ok=True)
    Image.new("L", (28, 28), 128).save(PICTURE)


def _predicted(outcome: Outcome) -> dict[str, float]:
    """Check that all inputs have a prediction."""
    if not any(f"\n{count} predictions" in f"\n{outcome.stdout}" for count in ("10,000", "25,000")):
        raise RuntimeError(outcome.stdout[-3000:])
    return {}


def _predict(name: str, experiment: str, inputs: str) -> Contender:
    """The pipeline's verb, with a new file for each pair: one that is there would be resumed."""
    words = [*PIPELINE, "predict", f"{experiment}@latest", inputs, "--out", f"{experiment}-{{pair}}.jsonl"]
    return Contender(name, words, _predicted)


def _loop(name: str, experiment: str, inputs: str) -> Contender:
    return Contender(
        name, [*PYTHON, "benchmarks.contenders.plain_predict", experiment, inputs, "plain.jsonl"], _predicted
    )


BENCHMARK = Benchmark(
    "prediction",
    "Predictions of a stored model",
    "Models of `mnist_fast` and of a bag of words on IMDB, whole processes on all cores. `predict` imports torch, but "
    "neither Lightning nor Ray nor Hydra. The plain loops import torch alone, read the same file of 10,000 pictures or "
    "25,000 reviews and write the same lines; the pipeline also verifies the model's digests, marks inputs that are "
    "unlike the training data and can resume its output. It computes a chunk of 256 inputs on one thread and several "
    "chunks at a time, where the loops split each operation between the cores; texts of similar length share a batch. "
    "At the end of a process Python searches all objects for garbage, which after `import torch` takes a third of the "
    "time: the pipeline leaves that out, `import torch` alone does not.",
    (
        Contender(TORCH, [PYTHON[0], "-c", "import torch"], no_figures),
        Contender(ONE, [*PIPELINE, "predict", "mnist_fast@latest", str(PICTURE)], no_figures),
        Contender(TEXT, [*PIPELINE, "predict", "reviews@latest", "A film to remember."], no_figures),
        _predict(MANY, "mnist_fast", PICTURES),
        _loop(LOOP, "mnist_fast", PICTURES),
        _predict(TEXTS, "reviews", REVIEWS),
        _loop(TEXT_LOOP, "reviews", REVIEWS),
    ),
    (
        Claim("one PNG", amount("wall_s", ONE), 2, "{:.2f} s", least=False),
        Claim("one PNG / import torch", ratio("wall_s", ONE, TORCH), 1.2, least=False),
        Claim("one text", amount("wall_s", TEXT), 2, "{:.2f} s", least=False),
        Claim("one text / import torch", ratio("wall_s", TEXT, TORCH), 1.2, least=False),
        Claim("10,000 pictures: speed relative to the plain loop", ratio("wall_s", LOOP, MANY), 1),
        Claim("25,000 reviews: speed relative to the plain loop", ratio("wall_s", TEXT_LOOP, TEXTS), 1),
    ),
    shown=("wall_s", "cpu_s", "peak_mb"),
    warm=("experiment=mnist_fast", TEXT_MODEL),
)

if __name__ == "__main__":
    draw()
    main(BENCHMARK)
