"""Studio area: people."""
