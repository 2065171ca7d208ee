"""Versions that are computed from what changed, never chosen."""
