"""Studio area: media."""
