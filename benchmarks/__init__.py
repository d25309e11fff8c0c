"""Measurements. Each prints a ratio against a reference of the same run, and fails only when
it could not measure: machines differ, so a bare figure says little."""
