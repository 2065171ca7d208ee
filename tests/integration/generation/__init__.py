"""Generation against real servers, processes and models."""
