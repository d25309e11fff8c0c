"""Venues and the devices in them: enrolment, assignment, heartbeats."""
