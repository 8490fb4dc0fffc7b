"""`python -m benchmarks.accuracy`: time to 99 % accuracy on MNIST, whole processes on all cores."""

from benchmarks.benchmark import Benchmark, Claim, amount, main, ratio
from benchmarks.harness import PYTHON, Contender
from benchmarks.pipeline_train import training

OURS, KERAS, TORCH = "pipeline", "keras mnist_convnet", "pytorch/examples mnist"
BENCHMARK = Benchmark(
    "accuracy",
    "Time to 99 % on MNIST",
    "All train on the same 55,000 images. Keras and pytorch/examples stop after the first epoch that reaches 99.0 % "
    "on the 5,000 validation images. The pipeline (`pipeline train experiment=mnist_fast trainer.shards=2`) has a "
    "schedule of fixed length, chosen on validation with other seeds. All cores are used, by torch's threads, and by "
    "the pipeline's two workers. The whole process counts, with imports and data, and for the pipeline with tracking, "
    "test, figures and the portable model. `test` is the accuracy on the 10,000 test images, computed once, after "
    "training.",
    (
        Contender(KERAS, [*PYTHON, "benchmarks.contenders.keras_mnist", "{pair}"]),
        Contender(TORCH, [*PYTHON, "benchmarks.contenders.torch_mnist", "{pair}"]),
        training(OURS, "experiment=mnist_fast", "trainer.shards=2", "data.allow_sample=false"),
    ),
    (
        Claim("less wall time than keras mnist_convnet", ratio("wall_s", KERAS, OURS), 15, "{:.1f}x"),
        Claim("less wall time than pytorch/examples", ratio("wall_s", TORCH, OURS), 15, "{:.1f}x"),
        Claim("fewer CPU-seconds than keras mnist_convnet", ratio("cpu_s", KERAS, OURS), 10, "{:.1f}x"),
        Claim("fewer CPU-seconds than pytorch/examples", ratio("cpu_s", TORCH, OURS), 10, "{:.1f}x"),
        Claim("accuracy of the pipeline on test", amount("test", OURS), 0.99, "{:.2%}"),
    ),
    shown=("wall_s", "train_wall_s", "cpu_s", "epochs", "val", "test", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
