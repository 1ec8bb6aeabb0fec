"""Campaigns without Airflow: launching at most once, when to call, and what to check before it."""
