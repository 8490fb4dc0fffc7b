"""The graph of DVC stages: the recorded runs, their outputs, and their migration to renamed code."""
