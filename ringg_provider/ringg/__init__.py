"""Ringg AI over HTTP: clients, what they send and what comes back. No Airflow."""

from __future__ import annotations

from ringg_provider.ringg.client import PRODUCTION, AsyncRinggClient, RinggClient

__all__ = ["PRODUCTION", "AsyncRinggClient", "RinggClient"]
