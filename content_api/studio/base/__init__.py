"""What all pages share: static files, the style page, addresses where nothing is."""
