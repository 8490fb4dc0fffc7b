"""`python -m benchmarks.startup`: the main job's wall time, now and before, and what of it is not training."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender, Pair, no_figures
from benchmarks.pipeline_train import training

FORMER = "a0342f4"  # the last commit before logical shards
NOW, BEFORE, RAY = "pipeline", f"pipeline, at {FORMER}", "Ray's example, 1 epoch"
WORDS = ("data.allow_sample=false", "seed={pair}")


def _without_training(pair: Pair) -> float:
    return pair[NOW]["before_s"] + pair[NOW]["after_s"]


BENCHMARK = Benchmark(
    "startup",
    "The main job",
    f"`pipeline train`, the whole process on two cores: with two shards on two local workers, and at commit {FORMER}, "
    "where one core trained. `before_s` is from the start of the process to the end of the first step, `after_s` from "
    "the end of the last epoch to the end of the process. In that time the pipeline calibrates and tests the model, "
    "draws figures, writes the portable model and sends it to MLflow. Ray's documented Lightning example, which trains "
    "for one epoch on two workers, does none of these.\n\n"
    "Two workers share training alone. What one process does before and after it stays: until the first step the "
    "imports of torch (1.1 s) and Lightning (2.4 s). A process of its own imports MLflow (2.4 s) meanwhile.",
    (
        training(NOW, *WORDS),
        Contender(
            BEFORE,
            [*PYTHON, "benchmarks.contenders.at_commit", FORMER, "pipeline", "train", *WORDS],
            no_figures,
        ),
        Contender(RAY, [*PYTHON, "benchmarks.contenders.ray_lightning", "2", "1"]),
    ),
    (
        Claim("the main job's wall time, now / before", ratio("wall_s", NOW, BEFORE), 0.6, least=False),
        Claim("before the first step and after the last", _without_training, 8, "{:.1f} s", least=False),
    ),
    shown=("wall_s", "cpu_s", "before_s", "after_s", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
