"""Pig latin: the rule and the words to learn it from."""
