"""Training, serving and prediction on Ray: the only imports of ray."""
