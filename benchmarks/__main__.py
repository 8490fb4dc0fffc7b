"""`python -m benchmarks`: write docs/performance.md and its figures from benchmarks/results/."""

from benchmarks.harness import ROOT, load
from benchmarks.page import BENCHMARKS, draw, render


def main() -> None:
    for benchmark in BENCHMARKS:
        if pairs := load(benchmark.name):
            draw(benchmark, pairs)
    page = ROOT / "docs/performance.md"
    page.write_text(render(), encoding="utf-8")
    print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
