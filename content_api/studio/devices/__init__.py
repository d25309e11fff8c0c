"""Studio area: devices."""
