"""Pages of one's own account; who has signed in never sees those of signing in."""

ADDRESSES = ["/studio/account"]
