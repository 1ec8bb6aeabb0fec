"""Operators that say what they read and write; OpenLineage and Airflow's hook lineage ask them by different names."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from ringg_provider.lineage.datasets import Lineage


class LineageOperator(BaseOperator):
    """Base of the operators that say what they read and write.

    OpenLineage's provider finds the methods by their names, before ``execute`` and after it; it is neither imported nor
    needed where it is not installed.
    """

    @abstractmethod
    def reads_and_writes(self) -> Lineage:
        """What this task reads and writes; after ``execute`` also how much."""

    def tell_hook_lineage(self) -> None:
        """Tell whoever reads Airflow's hook lineage the same, as assets; where nobody does, nothing is looked up."""
        # Loaded when a task runs, and not with every DAG file.
        from ringg_provider.lineage.hook_lineage import report

        report(self.reads_and_writes)

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any] | None:
        """What OpenLineage is told before the task runs."""
        try:
            from ringg_provider.lineage.openlineage import facets
        except ImportError:
            return None
        return facets(self.reads_and_writes())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """What OpenLineage is told when it has succeeded, or failed."""
        return self.get_openlineage_facets_on_start()
