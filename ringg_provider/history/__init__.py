"""Call history that loses nothing: paging under a rate limit, tables, merging. No Airflow."""

from __future__ import annotations
