"""Airflow connections turned into API clients."""
