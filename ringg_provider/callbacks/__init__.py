"""Promises to call back: what people said of when, as instants and spans. No Airflow."""
