"""`python -m benchmarks.accuracy`: seconds to 99 % accuracy on MNIST, whole processes on all cores."""

from benchmarks.benchmark import Benchmark, Claim, amount, main, ratio
from benchmarks.harness import PYTHON, Contender
from benchmarks.pipeline_train import training

OURS, KERAS, TORCH = "pipeline", "keras mnist_convnet", "pytorch/examples mnist"
BENCHMARK = Benchmark(
    "accuracy",
    "Seconds to 99 % on MNIST",
    "All train on the same 55,000 images, on all cores. Keras and pytorch/examples stop after the first epoch that "
    "reaches 99.0 % on the 5,000 validation images, and compute with torch's own threads. The pipeline "
    "(`pipeline train experiment=mnist_fast trainer.shards=2`) trains on two local workers of one thread each, with a "
    "schedule of fixed length, chosen on validation with other seeds. The whole process counts, with imports and "
    "data, and for the pipeline with tracking, test, figures and the portable model. `test` is the accuracy on the "
    "10,000 test images, computed once, after training.",
    (
        Contender(KERAS, [*PYTHON, "benchmarks.contenders.keras_mnist", "{pair}"]),
        Contender(TORCH, [*PYTHON, "benchmarks.contenders.torch_mnist", "{pair}"]),
        training(OURS, "experiment=mnist_fast", "trainer.shards=2", "data.allow_sample=false"),
    ),
    (
        Claim("less wall time than keras mnist_convnet", ratio("wall_s", KERAS, OURS), 15, "{:.1f}x"),
        Claim("less wall time than pytorch/examples", ratio("wall_s", TORCH, OURS), 15, "{:.1f}x"),
        Claim("accuracy of the pipeline on test", amount("test", OURS), 0.99, "{:.2%}"),
    ),
    shown=("wall_s", "cpu_s", "train_wall_s", "epochs", "val", "test", "peak_mb"),
    warm=("experiment=mlp_xor",),
    pairs=3,
)

if __name__ == "__main__":
    main(BENCHMARK)
