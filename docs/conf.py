"""Settings of the documentation site: `make docs` builds it with Sphinx."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

project = "Lecture pipeline"
html_title = "Lecture pipeline"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_favicon = "../pipeline/app/static/icon.svg"
html_show_copyright = False
html_show_sphinx = False
smartquotes = False  # would print the option `--json` with one dash
html_use_index = False
html_domain_indices = False
html_copy_source = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.generators.extension"]
exclude_patterns = ["requirements.lock", "generators", "static"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["dollarmath", "substitution"]
myst_heading_anchors = 3
html_math_renderer = "mathml"  # a browser draws it itself, so formulas need no script and no network
pygments_style = "default"
highlight_language = "text"
nitpicky = True
autodoc_inherit_docstrings = False
autodoc_typehints = "none"  # the signature has them
autodoc_member_order = "bysource"
