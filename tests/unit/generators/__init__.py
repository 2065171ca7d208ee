"""Tests of sentisynth_hub.generators."""
