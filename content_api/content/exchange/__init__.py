"""Texts for translators' own tools, out and in: XLIFF 1.2, XLIFF 2.0, gettext PO."""
