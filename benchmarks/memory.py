"""`python -m benchmarks.memory`: memory and time to prepare texts and to train on them, as they grow a hundredfold."""

from benchmarks.harness import PYTHON, Contender, Pair
from benchmarks.question import Claim, Question, main, ratio

NAMES = {megabytes: f"pipeline, {megabytes:,} MB of texts" for megabytes in (30, 300, 3_000)}
ONE, TEN, HUNDRED = NAMES.values()
BYTES = 48  # that stay in memory for each text, of its 1,400 or so


def beside(pair: Pair) -> float:
    """Memory at x100 against x1, without the bytes a text that are known to stay in memory."""
    known_mb = {name: BYTES * pair[name]["texts"] / 2**20 for name in (ONE, HUNDRED)}
    return (pair[HUNDRED]["peak_mb"] - known_mb[HUNDRED]) / (pair[ONE]["peak_mb"] - known_mb[ONE])


def bytes_a_text(pair: Pair) -> float:
    """By how much the peak grows with a text."""
    more = pair[HUNDRED]["texts"] - pair[ONE]["texts"]
    return (pair[HUNDRED]["peak_mb"] - pair[ONE]["peak_mb"]) * 2**20 / more


QUESTION = Question(
    "memory",
    "Memory as texts grow",
    "CSV files of made-up texts (235 words on average of 50,000, by Zipf's law), through `data=own_texts` to numbered "
    "words (`prepare`), 100 batches of 32 that an LSTM learns from, and once more from the cache (`again`). `peak_mb` "
    "is the largest resident memory of all this; words are read by place, so it holds no pages of a memory map. For "
    f"each text, whatever its length, at most {BYTES} bytes stay: where it begins, its row, its class, its length and, "
    "twice, its place in the epoch's order. The different words stay, too.",
    tuple(Contender(name, [*PYTHON, "benchmarks.contenders.texts", str(size)]) for size, name in NAMES.items()),
    (
        Claim(f"memory, x100 against x1, beside {BYTES} bytes a text", beside, 1.1, least=False),
        Claim("bytes by which memory grows with a text", bytes_a_text, BYTES, "{:.0f}", least=False),
        Claim("time, x100 against x10", ratio("prepare_cpu_s", HUNDRED, TEN), 11, "{:.1f}x", least=False),
    ),
    shown=("peak_mb", "prepare_cpu_s", "again_cpu_s", "texts"),
    pairs=1,
)

if __name__ == "__main__":
    main(QUESTION)
