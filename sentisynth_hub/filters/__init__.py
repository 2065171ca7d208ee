"""The filters: one small module each, with the one contract of `sentisynth_hub.filters.contract`."""
