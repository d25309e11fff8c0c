"""Studio area: packages."""
