"""Studio area: widgets."""
