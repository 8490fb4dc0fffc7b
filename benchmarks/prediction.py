"""`python -m benchmarks.prediction`: `pipeline predict` of one picture and 10,000, beside a plain loop."""

from benchmarks.benchmark import Benchmark, Claim, amount, main, ratio
from benchmarks.harness import DATA, PIPELINE, PYTHON, Contender, Outcome, no_figures

PICTURE, PICTURES = DATA / "digit.png", "data/mnist/t10k-images-idx3-ubyte"
TORCH, ONE, MANY, LOOP = "import torch", "predict, one PNG", "predict, 10,000 pictures", "plain loop, 10,000 pictures"


def draw() -> None:
    """Write a PNG of MNIST's size."""
    from PIL import Image

    DATA.mkdir(parents=True, exist_ok=True)
    Image.new("L", (28, 28), 128).save(PICTURE)


def _predicted(outcome: Outcome) -> dict[str, float]:
    """Check that all pictures have a prediction."""
    if "\n10,000 predictions" not in f"\n{outcome.stdout}":
        raise RuntimeError(outcome.stdout[-3000:])
    return {}


BENCHMARK = Benchmark(
    "prediction",
    "Predictions of a stored model",
    "A model of `mnist_fast`, whole processes on all cores. `predict` imports torch, but neither Lightning nor Ray nor "
    "Hydra. The plain loop imports torch alone, reads the same file of 10,000 pictures and writes the same lines; the "
    "pipeline also verifies the model's digests and can resume its output.",
    (
        Contender(TORCH, [PYTHON[0], "-c", "import torch"], no_figures),
        Contender(ONE, [*PIPELINE, "predict", "latest", str(PICTURE)], no_figures),
        Contender(MANY, [*PIPELINE, "predict", "latest", PICTURES, "--out", "{pair}.jsonl"], _predicted),
        Contender(LOOP, [*PYTHON, "benchmarks.contenders.plain_predict", PICTURES, "plain.jsonl"], _predicted),
    ),
    (
        Claim("one PNG", amount("wall_s", ONE), 2, "{:.2f} s", least=False),
        Claim("one PNG / import torch", ratio("wall_s", ONE, TORCH), 1.2, least=False),
        Claim("10,000 pictures: speed relative to the plain loop", ratio("wall_s", LOOP, MANY), 1),
    ),
    shown=("wall_s", "cpu_s", "peak_mb"),
    warm=("experiment=mnist_fast",),
)

if __name__ == "__main__":
    draw()
    main(BENCHMARK)
