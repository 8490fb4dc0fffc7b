"""Stored models that predict: nets, baselines, ensembles, exports and explanations."""
