"""Studio area: translate."""
