"""Versions: computed from what changed, never chosen."""
