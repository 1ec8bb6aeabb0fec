"""An Apache Airflow provider for scheduled bulk calling with voice agents: Ringg AI and SmartAlex."""

from __future__ import annotations

__version__ = "0.1.0"
