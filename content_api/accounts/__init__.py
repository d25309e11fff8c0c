"""People, roles and grants, sessions and API tokens, and the audit trail."""
