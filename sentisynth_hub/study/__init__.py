"""The study stage: every variant trained in every replicate."""
