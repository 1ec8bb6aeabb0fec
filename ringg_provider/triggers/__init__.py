"""Triggers: the same waiting as the sensors', in the triggerer."""
