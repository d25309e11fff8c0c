"""Studio area: desk."""
