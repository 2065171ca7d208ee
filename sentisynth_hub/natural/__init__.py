"""The natural stage: the human-labelled rows, their splits and folds, and who may see which of them."""
