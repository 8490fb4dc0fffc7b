"""`python -m benchmarks.setup`: megabytes and seconds of `make setup`, and what of it the main job imports."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender

FORMER = "a0342f4"
NOW, BEFORE, JOB = "make setup", f"make setup, at {FORMER}", "imported by pipeline train"

BENCHMARK = Benchmark(
    "setup",
    "Set-up",
    f"`make setup` in fresh checkouts of the last commit and of {FORMER}, with the CPU build of torch and packages in "
    "pip's cache; `make train` does the same first. What only tests need (Playwright, mypy, ruff, Hypothesis) is "
    "installed by `make test`, and byte code is written when a module is first imported: pip would compile all "
    "modules, a fifth of the megabytes. `imported` is the size of the modules and libraries that `pipeline train` "
    "loads into its process, for one epoch on 5,000 digits: torch is half of it. Ray's binaries run in processes of "
    "their own on clusters; pandas, pyarrow and SQLAlchemy are MLflow's.",
    (
        Contender(NOW, [*PYTHON, "benchmarks.contenders.make_setup", "HEAD"]),
        Contender(BEFORE, [*PYTHON, "benchmarks.contenders.make_setup", FORMER]),
        Contender(
            JOB,
            [*PYTHON, "benchmarks.contenders.imported", "train", "data=mnist-5k", "model=cnn", "trainer.max_epochs=1"],
        ),
    ),
    (
        Claim("megabytes, now / before", ratio("disk_mb", NOW, BEFORE), 0.75, least=False),
        Claim("seconds, now / before", ratio("setup_s", NOW, BEFORE), 0.75, least=False),
    ),
    shown=("disk_mb", "setup_s", "cpu_s"),
    pairs=2,
)

if __name__ == "__main__":
    main(BENCHMARK)
