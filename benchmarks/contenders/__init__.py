"""Alternatives to the pipeline, each in its own idiom, written from its published architecture and recipe.

Each is a command, `python -m benchmarks.contenders.NAME`, whose last line is a JSON object of its figures.
"""
