"""The graph of DVC stages: which runs are recorded, and carrying their entries over to renamed code."""
