"""SmartAlex over HTTP: clients, what they send and what comes back. No Airflow."""

from __future__ import annotations
