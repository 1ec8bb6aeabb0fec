"""Telephone numbers: which can be dialled, where they belong, and exact sets of millions of them."""
