"""Studio area: entries."""
