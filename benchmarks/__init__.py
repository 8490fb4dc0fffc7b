"""Measurements, each one command; what they found stands beside them and in docs/."""
