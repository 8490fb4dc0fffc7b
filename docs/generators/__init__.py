"""Pages of the documentation that are generated from the code while the site is built."""
