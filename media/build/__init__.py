"""Build the sample collection from a folder of facts, drawings included.

The facts (places, routes, events, dates, terms, outlines) come from outside;
the sentences of `texts/`, the pictures, the sound and the film are made here.
Everything written is deterministic: the same facts give the same bytes.
Run it with `python -m media.build --facts DIR`; see media/README.md.
"""
