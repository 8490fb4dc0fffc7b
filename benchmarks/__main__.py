"""`python -m benchmarks`: write docs/performance.md and its pictures from what was measured."""

from benchmarks.harness import ROOT, kept
from benchmarks.page import QUESTIONS, draw, render


def main() -> None:
    for question in QUESTIONS:
        if pairs := kept(question.name):
            draw(question, pairs)
    page = ROOT / "docs/performance.md"
    page.write_text(render(), encoding="utf-8")
    print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
