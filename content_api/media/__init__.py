"""Assets: uploaded files, told apart by their content, and the encodings displays need."""
