"""Opening hours of venues, and which package a device shows when."""
