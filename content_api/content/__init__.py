"""Content: types from YAML, entries and their revisions, approvals, translation status."""
