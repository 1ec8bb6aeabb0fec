"""Promises to call people back: what they said of when, and what became of it. No Airflow."""
