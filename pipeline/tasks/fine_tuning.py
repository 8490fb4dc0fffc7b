"""Fine-tuning of a text classifier from a language model (Dai, Le 2015, arXiv:1511.01432)."""

from pipeline.tasks.classification import Classification


class FineTuning(Classification):
    """Fine-tune a classifier from the weights of `requires.init_from`, or from random ones where that is null."""
