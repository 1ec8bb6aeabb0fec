"""What is estimated and reported before a campaign starts. No Airflow."""
