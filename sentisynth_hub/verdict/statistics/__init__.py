"""Paired statistics over replicates and test items; nothing here trains or reads files."""
