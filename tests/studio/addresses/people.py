"""Pages of people and of the audit trail."""

ADDRESSES = [
    "/studio/people/",
    "/studio/people/?q=nobody-of-this-name",
    "/studio/people/new",
    "/studio/people/{user}",
    "/studio/audit/",
    "/studio/audit/?action=entry&since=2026-01-01",
]
