"""Republishing from elsewhere: a GitHub workflow, Hugging Face Jobs, an extension of the `hf` command."""
