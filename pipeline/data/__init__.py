"""Data sets: raw bytes that verify, the arrays in them, and the batches a model sees."""
