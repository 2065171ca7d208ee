"""Helpers that several tests share: servers, worlds, models."""
