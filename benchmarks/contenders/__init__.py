"""What people would pick instead, each in its own idiom, written from its published architecture and recipe.

Each is a command, `python -m benchmarks.contenders.NAME`, whose last line is one JSON object of its figures.
"""
