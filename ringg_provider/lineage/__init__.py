"""What a task reads and writes: as OpenLineage's facets, as Airflow's hook lineage, and as the assets of outlets."""

from __future__ import annotations
