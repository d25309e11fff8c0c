"""Studio area: review."""
