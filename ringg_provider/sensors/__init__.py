"""Sensors: wait for an upload to be ready or for a campaign to end."""
