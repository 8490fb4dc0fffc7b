"""Reports: figures, tables, claims and the page of results."""
