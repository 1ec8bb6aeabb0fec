"""Webhooks: what the platforms tell of calls as they happen, stored before it is answered, applied to the tables."""
