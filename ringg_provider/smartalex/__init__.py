"""SmartAlex over HTTP: clients, what they send and what comes back. No Airflow."""

from __future__ import annotations

from ringg_provider.smartalex.client import PRODUCTION, AsyncSmartAlexClient, SmartAlexClient

__all__ = ["PRODUCTION", "AsyncSmartAlexClient", "SmartAlexClient"]
