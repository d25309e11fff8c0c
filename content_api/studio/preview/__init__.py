"""Studio area: preview."""
