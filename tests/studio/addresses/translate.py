"""Pages on which an entry is translated."""

ADDRESSES = ["/studio/entries/{entry}/translate/{language}"]
