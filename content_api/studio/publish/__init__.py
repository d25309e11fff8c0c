"""Studio area: publish."""
