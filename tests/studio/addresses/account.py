"""Pages of signing in and of one's own account."""

ADDRESSES = ["/studio/sign-in", "/studio/account"]
