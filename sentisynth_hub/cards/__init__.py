"""Cards: typed data in, README.md and CHANGELOG.md out. Pure functions; nothing here touches a network or a clock."""
