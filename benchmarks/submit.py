"""`python -m benchmarks.submit`: seconds from `pipeline submit` to a training's first step on a warm cluster."""

from benchmarks.benchmark import Benchmark, Claim, amount, main
from benchmarks.harness import PYTHON, Contender

SUBMIT = "pipeline submit, 2 workers"

BENCHMARK = Benchmark(
    "submit",
    "A job on a cluster",
    "From the start of `pipeline submit` on a warm cluster (a head and a node with two CPUs, all on this machine) "
    "until the cluster has accepted the job, the workers have started, the first step is done, the job has ended. "
    "Costs include those of the cluster and of a first job that warms it up.",
    (Contender(SUBMIT, [*PYTHON, "benchmarks.contenders.submit"]),),
    (Claim("until the first step", amount("first_step_s", SUBMIT), 25, "{:.1f} s", least=False),),
    shown=("first_step_s", "accepted_s", "workers_s", "whole_s", "train_cpu_s", "cpu_s"),
    pairs=3,
)

if __name__ == "__main__":
    main(BENCHMARK)
