"""All generated parts of the documents: pages by their place in docs/generated/, and results that pages quote."""

import json

import numpy as np

from docs.generators import commands, configuration, http_api, outside
from docs.generators.outside import PAGES, ROOT
from pipeline.report import claims, markdown
from pipeline.runs import results


def generated() -> dict[str, str]:
    """Return the text of each page of docs/generated/."""
    conf = ROOT / "conf"
    pages = {
        "keys.md": configuration.keys_page(conf),
        "data.md": configuration.files_page("data", "Data sets", "data=mnist data.batch_size=64", conf),
        "models.md": configuration.files_page("model", "Models", "model=cnn model.optimizer.lr=0.01", conf),
        "experiments.md": configuration.experiments_page(conf),
        "http-api.md": http_api.page(),
    }
    for verb, command in commands.verbs().items():
        pages[f"commands/{verb.replace(' ', '-')}.md"] = commands.page(verb, command)
    for document, page in PAGES.items():
        text = (ROOT / document).read_text(encoding="utf-8")
        pages[page.removeprefix("generated/")] = outside.relocate(text, document, f"docs/{page}")
    return pages


def quoted_results() -> dict[str, str]:
    """Return, as `claim_1` to `claim_7`, each claim with its verdict; as `score_EXPERIMENT` each experiment's score.

    `playground_speed` is the measured speed of the Playground.
    """
    entries = results.committed(ROOT)
    verdicts = {f"claim_{row.number}": _verdict(row) for row in claims.table(entries)}
    costs = markdown.costs(entries)
    scores = {
        f"score_{name}": f"{markdown.score(group)} ({len(group)} seeds, {np.mean(costs[name]):,.0f} CPU-s)"
        for name, group in markdown.grouped(entries).items()
    }
    return {**verdicts, **scores, "playground_speed": _playground_speed()}


def _verdict(row: claims.Claim) -> str:
    """Return a claim, its verdict and its evidence; evidence of several parts is a list."""
    parts = row.evidence.split("; ")
    evidence = f"{parts[0]}." if len(parts) == 1 else "\n\n" + "\n".join(f"- {part}" for part in parts)
    return f"**Claim.** {row.claim}. **{row.sign} {row.verdict}** Evidence: {evidence}"


def _playground_speed() -> str:
    """Return frames and epochs a second of each setting, with the number of measurements and the machine."""
    content = json.loads((ROOT / "benchmarks/results/playground.json").read_text(encoding="utf-8"))
    rates = "; ".join(
        f"{setting}, {rate['pictures_per_s']['median']:.0f} frames and {rate['epochs_per_s']['median']:.0f} epochs"
        for setting, rate in content["measured"].items()
    )
    count = len(content["measured"]["defaults"]["epochs_per_s"]["all"])
    return f"{rates} (medians of {count}; {content['machine']}, load average {content['load']:.1f})"
