"""Lampisterie's server: editors' content, compiled into signed releases that displays fetch."""

__version__ = "0.1.0"
