"""Reports: figures, tables, the lecture's claims and the results page."""
