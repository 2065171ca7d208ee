"""Measures: of predictions, of texts, of corpora. Each module stands alone; nothing here knows recipes or files."""
