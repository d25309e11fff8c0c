"""Languages: tags, directions, fallback chains, and matching a reader to one of them."""
