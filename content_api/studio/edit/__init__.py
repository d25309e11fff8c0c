"""Studio area: edit."""
