"""`python -m benchmarks.memory`: memory and time to prepare and train on texts, for 1, 10 and 100 times as many."""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender, Pair

NAMES = {megabytes: f"pipeline, {megabytes:,} MB of texts" for megabytes in (30, 300, 3_000)}
ONE, TEN, HUNDRED = NAMES.values()
BYTES = 48  # that stay in memory for each text, of its 1,400 or so


def memory_ratio(pair: Pair) -> float:
    """Peak memory at x100 divided by that at x1, each without the bytes a text that stay in memory."""
    known_mb = {name: BYTES * pair[name]["texts"] / 2**20 for name in (ONE, HUNDRED)}
    return (pair[HUNDRED]["peak_mb"] - known_mb[HUNDRED]) / (pair[ONE]["peak_mb"] - known_mb[ONE])


def bytes_per_text(pair: Pair) -> float:
    """Growth of the peak a text."""
    texts = pair[HUNDRED]["texts"] - pair[ONE]["texts"]
    return (pair[HUNDRED]["peak_mb"] - pair[ONE]["peak_mb"]) * 2**20 / texts


BENCHMARK = Benchmark(
    "memory",
    "Memory as texts grow",
    "CSV files of synthetic texts (235 words on average, of a vocabulary of 50,000 by Zipf's law). `prepare` reads "
    "them through `data=own_texts` into numbered words; an LSTM then trains on 100 batches of 32; `again` reads "
    "from the cache. `peak_mb` is the largest resident memory of all three. Words are read by position, so it "
    f"contains no pages of a memory map. For each text of any length at most {BYTES} bytes stay in memory: its "
    "offset, row, class, length and, twice, its position in the epoch's order. The vocabulary stays too.",
    tuple(Contender(name, [*PYTHON, "benchmarks.contenders.texts", str(size)]) for size, name in NAMES.items()),
    (
        Claim(f"memory, x100 / x1, without {BYTES} bytes a text", memory_ratio, 1.1, least=False),
        Claim("growth of memory, bytes a text", bytes_per_text, BYTES, "{:.0f}", least=False),
        Claim("time, x100 / x10", ratio("prepare_cpu_s", HUNDRED, TEN), 11, "{:.1f}x", least=False),
    ),
    shown=("peak_mb", "prepare_cpu_s", "again_cpu_s", "texts"),
    pairs=1,
)

if __name__ == "__main__":
    main(BENCHMARK)
