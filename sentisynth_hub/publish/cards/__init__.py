"""Cards: typed data in, README.md and CHANGELOG.md out. No network, no clock."""
