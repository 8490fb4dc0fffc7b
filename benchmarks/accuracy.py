"""`python -m benchmarks.accuracy`: CPU-seconds to 99 % accuracy on MNIST."""

from benchmarks.benchmark import Benchmark, Claim, amount, main, ratio
from benchmarks.harness import PYTHON, Contender
from benchmarks.pipeline_train import training

OURS, KERAS, TORCH = "pipeline", "keras mnist_convnet", "pytorch/examples mnist"
ONE_THREAD = (("OMP_NUM_THREADS", "1"),)
BENCHMARK = Benchmark(
    "accuracy",
    "CPU-seconds to 99 % on MNIST",
    "All train on the same 55,000 images, with one thread. Keras and pytorch/examples stop after the first epoch that "
    "reaches 99.0 % on the 5,000 validation images. The pipeline (`pipeline train experiment=mnist_fast`) has a "
    "schedule of fixed length, chosen on validation with other seeds. The whole process counts, with imports and data, "
    "and for the pipeline with tracking, test, figures and the portable model. `test` is the accuracy on the 10,000 "
    "test images, computed once, after training.",
    (
        Contender(KERAS, [*PYTHON, "benchmarks.contenders.keras_mnist", "{pair}"], env=ONE_THREAD),
        Contender(TORCH, [*PYTHON, "benchmarks.contenders.torch_mnist", "{pair}"], env=ONE_THREAD),
        training(OURS, "experiment=mnist_fast", "data.allow_sample=false"),
    ),
    (
        Claim("fewer CPU-seconds than keras mnist_convnet", ratio("cpu_s", KERAS, OURS), 10, "{:.1f}x"),
        Claim("fewer CPU-seconds than pytorch/examples", ratio("cpu_s", TORCH, OURS), 10, "{:.1f}x"),
        Claim("accuracy of the pipeline on test", amount("test", OURS), 0.99, "{:.2%}"),
    ),
    shown=("cpu_s", "train_cpu_s", "epochs", "val", "test", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
