"""Studio area: exchange."""
