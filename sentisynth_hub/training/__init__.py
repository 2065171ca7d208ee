"""Students, the variants they are trained on, and the trials of a study."""
