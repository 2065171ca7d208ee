"""Pretrained models and what is computed with them: embeddings, perplexity, a linear head on frozen features."""
