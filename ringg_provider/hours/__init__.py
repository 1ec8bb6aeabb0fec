"""When people may be called: rules, daily windows and schedules, to the minute. No Airflow."""
