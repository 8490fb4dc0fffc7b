"""`python -m benchmarks.startup`: seconds before the first and after the last step, beside Ray's example."""

from benchmarks.benchmark import Benchmark, Claim, main
from benchmarks.harness import PYTHON, Contender
from benchmarks.pipeline_train import training

ONE, TWO, RAY = "pipeline, 1 worker", "pipeline, 2 workers", "Ray's example, 2 workers"
WORDS = ("model=cnn", "data=mnist", "data.allow_sample=false", "trainer.max_epochs=1")


def _both(name: str, bar: float) -> Claim:
    def seconds(pair: dict[str, dict[str, float]]) -> float:
        return pair[name]["before_s"] + pair[name]["after_s"]

    return Claim(f"{name}: before the first step and after the last", seconds, bar, "{:.1f} s", least=False)


BENCHMARK = Benchmark(
    "startup",
    "Start and end of a run",
    "`before_s` is from the start of the process to the end of the first step, `after_s` from the end of the last "
    "epoch to the end of the process. In that time the pipeline tests the model, draws figures, writes the portable "
    "model and sends it to MLflow. Ray's documented Lightning example does none of these.",
    (
        training(ONE, *WORDS),
        training(TWO, *WORDS, "trainer.shards=2", "cluster.workers=2"),
        Contender(RAY, [*PYTHON, "benchmarks.contenders.ray_lightning", "2", "1"]),
    ),
    (_both(ONE, 15),),
    shown=("before_s", "after_s", "wall_s", "cpu_s", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
