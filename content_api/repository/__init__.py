"""The signed static tree that displays read: keys, TUF metadata, blobs, and serving them."""
