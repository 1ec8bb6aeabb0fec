"""What several tests share: databases, the sandbox on a socket, and Airflow."""
