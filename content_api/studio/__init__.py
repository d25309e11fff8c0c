"""The studio: the pages in which heritage staff write, translate, review and publish."""
