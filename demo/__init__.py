"""The whole path on one machine: a warehouse, a calling platform, an Airflow, and two campaigns."""
