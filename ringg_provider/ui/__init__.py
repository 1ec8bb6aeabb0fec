"""The control room: pages inside Airflow that show how campaigns go, and stop one. Only the API server imports it."""
