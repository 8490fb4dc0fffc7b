"""Where training and serving run: the only imports of ray."""
