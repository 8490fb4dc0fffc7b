"""Sphinx extension: generates pages before a build, draws formulas as MathML, decides where lines may break."""

import re
import shutil
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.addnodes import desc_content

from docs.generators import outside, pages


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("config-inited", _write_pages)
    app.connect("source-read", _relocate_links)
    app.connect("doctree-resolved", _let_code_in_tables_break)
    app.connect("doctree-resolved", _keep_numbers_whole)
    app.connect("doctree-resolved", _colour_examples)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write_pages(app: Any, config: Any) -> None:
    """Write docs/generated/ anew, and let pages quote results as `{{ claim_1 }}`."""
    folder = outside.ROOT / "docs/generated"
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in pages.generated().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    config.myst_substitutions = pages.quoted_results()


def _relocate_links(app: Any, name: str, source: list[str]) -> None:
    page = f"docs/{name}.md"
    source[0] = outside.relocate(source[0], page, page)


def _let_code_in_tables_break(app: Any, tree: nodes.document, name: str) -> None:
    """Allow a line to break after `/` and `,` in a table's code, and nowhere else within a word."""
    for cell in tree.findall(nodes.entry):
        for code in [*cell.findall(nodes.literal)]:
            parts = re.findall(r"[^/,]+[/,]*|[/,]+", code.astext())
            code.clear()
            for part in parts:
                code += [nodes.Text(part), nodes.raw("", "<wbr>", format="html")]


def _keep_numbers_whole(app: Any, tree: nodes.document, name: str) -> None:
    """Keep `89.05 ± 0.04 %` on one line, by spaces that do not break."""
    for text in [*tree.findall(nodes.Text)]:
        if not isinstance(text.parent, nodes.literal | nodes.literal_block | nodes.raw):
            whole = re.sub(r"(?<=\d) (?=[%±])|(?<=±) (?=\d)", "\N{NO-BREAK SPACE}", text)
            text.parent.replace(text, nodes.Text(whole))


def _colour_examples(app: Any, tree: nodes.document, name: str) -> None:
    """Highlight the examples in docstrings as Python; other literal blocks are commands and output."""
    for described in tree.findall(desc_content):
        for block in described.findall(nodes.literal_block):
            block["language"] = "python"


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math" tabindex="0">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode
