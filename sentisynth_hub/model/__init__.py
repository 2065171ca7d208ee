"""The model stage: the classifier that is published."""
