"""Operators: one per thing that a calling platform can be told to do."""
