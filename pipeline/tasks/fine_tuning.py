"""Fine-tuning of a text classifier that begins with a language model."""

from pipeline.tasks.classification import Classification


class FineTuning(Classification):
    """Fine-tune a classifier whose initial weights are those of `requires.init_from`; at random where that is null."""
