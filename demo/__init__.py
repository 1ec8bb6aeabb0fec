"""The whole path on one machine: a warehouse, a calling platform, a real Airflow, and two campaigns run through them."""
