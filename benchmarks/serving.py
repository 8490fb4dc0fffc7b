"""`python -m benchmarks.serving`: latency and throughput of `pipeline serve`."""

from benchmarks.benchmark import Benchmark, Claim, amount, main
from benchmarks.contenders.serving import CLIENTS
from benchmarks.harness import PYTHON, Contender

SERVE = "pipeline serve, one replica"
BENCHMARK = Benchmark(
    "serving",
    "A served model",
    "A model of `mnist_fast` behind `pipeline serve` with one replica; clients on the same machine post one PNG of "
    f"28x28 a request, one after the other (p50, p95), then {CLIENTS} at once. A request costs decoding, checks and "
    "JSON in the server's process; requests that wait travel to the replica in one batch.",
    (Contender(SERVE, [*PYTHON, "benchmarks.contenders.serving", "latest"]),),
    (
        Claim("p50 of one PNG", amount("p50_ms", SERVE), 15, "{:.1f} ms", least=False),
        Claim(f"requests a second, {CLIENTS} clients", amount("per_s", SERVE), 400, "{:.0f}"),
    ),
    shown=("p50_ms", "p95_ms", "per_s", "p50_ms_at_once"),
    warm=("experiment=mnist_fast",),
)

if __name__ == "__main__":
    main(BENCHMARK)
