"""`python -m benchmarks.accuracy`: what it costs to read 99 % of MNIST's test digits."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.ours import training
from benchmarks.question import Claim, Question, amount, main, ratio

OURS, KERAS, TORCH = "pipeline", "keras mnist_convnet", "pytorch/examples mnist"
QUESTION = Question(
    "accuracy",
    "CPU-seconds to 99 % on MNIST",
    "Each trains on the same 55,000 images and stops after the first epoch that reaches 99.0 % of the 5,000 of "
    "validation; ours (`pipeline train experiment=mnist_fast`) has a schedule of fixed length, chosen on validation "
    "with other seeds. The whole process counts, with imports and data, and for ours with tracking, test, pictures and "
    "the portable model. `test` is the accuracy on the 10,000 test images, looked at once, after the end.",
    (
        Contender(KERAS, [*PYTHON, "benchmarks.contenders.keras_mnist", "{pair}"]),
        Contender(TORCH, [*PYTHON, "benchmarks.contenders.torch_mnist", "{pair}"]),
        training(OURS, "experiment=mnist_fast", "data.allow_sample=false"),
    ),
    (
        Claim("less than keras mnist_convnet", ratio("cpu_s", KERAS, OURS), 10, "{:.1f}x"),
        Claim("less than the pytorch/examples recipe", ratio("cpu_s", TORCH, OURS), 10, "{:.1f}x"),
        Claim("ours on test", amount("test", OURS), 0.99, "{:.2%}"),
    ),
    shown=("cpu_s", "train_cpu_s", "epochs", "val", "test", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
