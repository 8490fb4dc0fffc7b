"""`python -m benchmarks.growth`: memory and time as pictures and predictions grow, for 1, 10 and 100 times as many."""

import shutil

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import DATA, PIPELINE, PYTHON, ROOT, Contender, no_figures
from benchmarks.prediction import TEXT_MODEL

PICTURES = {count: f"{count:,} pictures" for count in (1_000, 10_000, 100_000)}
REVIEWS = {count: f"{count:,} predictions" for count in (2_500, 25_000, 250_000)}
FEW, MORE, MOST = PICTURES.values()
SHORT, LONG, LONGEST = REVIEWS.values()


def write() -> None:
    """Write JSON Lines files of reviews: the 25,000 of IMDB's test set, a tenth of them, and ten times the file."""
    reviews = ROOT / "data/imdb/test.jsonl"
    DATA.mkdir(parents=True, exist_ok=True)
    with reviews.open("rb") as file:
        (DATA / "reviews-2500.jsonl").write_bytes(b"".join(next(file) for _ in range(2_500)))
    shutil.copyfile(reviews, DATA / "reviews-25000.jsonl")
    with (DATA / "reviews-250000.jsonl").open("wb") as out:
        for _ in range(10):
            out.write(reviews.read_bytes())


def _predict(count: int) -> Contender:
    words = ["predict", "reviews@latest", str(DATA / f"reviews-{count}.jsonl"), "--out", f"{count}-{{pair}}.jsonl"]
    return Contender(REVIEWS[count], [*PIPELINE, *words], no_figures)


BENCHMARK = Benchmark(
    "growth",
    "Growing data",
    "Class folders of PNG files of 32x32 pixels: `prepare` digests, decodes and compares them through "
    "`data=image_folder` and splits them, a CNN then trains on 100 batches (`steps`), `again` reads from the cache. "
    "`anon_mb` is the process's own memory at its highest, without pages of files. Near-duplicates stay in one split, "
    "so each picture is compared with all others, 2,048 with 2,048 at a time: two fifths of the time at 100,000, and "
    "why it grows faster than their number. scikit-learn's division takes another two fifths, `again` reads it. "
    "Read again soon after they were written, 10,000 pictures take .7 CPU-seconds and 100,000 take 5.1 (by hand, n=1); "
    "here minutes pass before, in which Linux may drop their pages. What "
    "stays in memory of a picture are its name, class, digest and hashes, some 800 bytes. Predictions: `pipeline "
    "predict` of reviews in JSON Lines to a file, the whole process. No prediction stays in memory; its highest mark "
    "comes with the longest texts, of which 2,500 reviews have few.",
    (
        *(Contender(name, [*PYTHON, "benchmarks.contenders.pictures", str(count)]) for count, name in PICTURES.items()),
        *map(_predict, REVIEWS),
    ),
    (
        Claim("pictures: time to prepare, x100 / x10", ratio("prepare_cpu_s", MOST, MORE), 11, "{:.1f}x", least=False),
        Claim("pictures: time to read again, x100 / x10", ratio("again_cpu_s", MOST, MORE), 11, "{:.1f}x", least=False),
        Claim("pictures: time of 100 steps, x100 / x1", ratio("steps_cpu_s", MOST, FEW), 1.1, least=False),
        Claim("pictures: memory, x100 / x1", ratio("anon_mb", MOST, FEW), 1.1, least=False),
        Claim("predictions: time, x100 / x10", ratio("cpu_s", LONGEST, LONG), 11, "{:.1f}x", least=False),
        Claim("predictions: memory, x100 / x1", ratio("peak_mb", LONGEST, SHORT), 1.1, least=False),
    ),
    shown=("cpu_s", "prepare_cpu_s", "steps_cpu_s", "again_cpu_s", "anon_mb", "peak_mb"),
    warm=(TEXT_MODEL,),
    pairs=1,
)

if __name__ == "__main__":
    write()
    main(BENCHMARK)
