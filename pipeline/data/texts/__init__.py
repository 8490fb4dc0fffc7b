"""Texts: archives, vocabulary, encoding, batches and data modules."""
