"""The page in the browser: server, safety, and a module for each page.

How a page is added: write `pipeline/app/NAME.py` with a `PAGE = Page("NAME", "Title", "one sentence", router)` (see
`pages.py`), `static/pages/NAME.html` with what stands inside `<main>`, `static/pages/NAME.js` (an ES module, run when
the page is open) and, if needed, `static/pages/NAME.css`; then name the module in `server.MODULES`. The page is served
at `/NAME`, stands in the navigation, and wears the shell: `static/shell.html` with `app.css` (colours as CSS variables,
light and dark) and `lib.js` (requests, errors, canvas and colour helpers).

A router's addresses begin with `/NAME/`. It finds the project's folder in `request.app.state.root`; a PipelineError it
raises is answered as {"error": text} with status 400, and `lib.js` throws that text. Nothing may ask for a file by a
path that came with a request; the browser refuses inline scripts, inline styles and other hosts.
"""
