"""The device: takes signed releases while it has a link, and plays them without one."""

__version__ = "0.1.0"
