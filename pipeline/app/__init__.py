"""The web pages of `pipeline app`: the server, its protection, and one module a page.

To add a page, write `pipeline/app/NAME.py` with `PAGE = Page("NAME", "Title", "description", router)` (see `pages.py`),
`static/pages/NAME.html` with the content of `<main>`, `static/pages/NAME.js` (an ES module) and, if needed,
`static/pages/NAME.css`; then add the module's name to `server.MODULES`. The page is served at `/NAME` and linked in the
navigation. All pages share `static/shell.html`, `app.css` (colours are CSS variables, light and dark) and `lib.js`
(requests, notices, canvas and colour functions).

A router's prefix is `/NAME`. `request.app.state.root` is the project's folder. A PipelineError becomes {"error": text}
with status 400, a validation error {"error": text} with status 422; `lib.js` throws that text. No handler opens a file
by a path from a request. Browsers refuse inline scripts, inline styles and other hosts (content-security-policy).
"""
