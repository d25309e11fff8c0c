"""Packages and their releases: what editors curate, compiled and published."""
