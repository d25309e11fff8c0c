"""Studio area: account."""
