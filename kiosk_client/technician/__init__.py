"""The technician's page: what a person at the screen may look at and do, after the PIN."""

from kiosk_client.technician.app import Technician

__all__ = ["Technician"]
