"""Evaluation: from predictions to metrics."""
