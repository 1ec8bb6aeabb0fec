"""Run a DAG in this process with `dag.test()`: real task runner, real deferral, real metadata database."""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

EXAMPLES = Path(__file__).parents[2] / "example_dags"
#: Airflow's version, of which the suite runs on several: (3, 1) and so on.
AIRFLOW = Version(version("apache-airflow-core")).release[:2]
_numbers = itertools.count()


@dataclass(frozen=True)
class FinishedRun:
    """How a run ended.

    Attributes:
        dag_id: the DAG.
        run_id: the run.
        state: "success" or "failed".
        tasks: state by task id, or by (task id, map index) for a mapped task.
    """

    dag_id: str
    run_id: str
    state: str
    tasks: dict[str | tuple[str, int], str | None]

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """A value that a task left behind; None when it left none."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        try:
            from airflow.sdk.serde import deserialize
        except ImportError:  # Airflow 3.1
            from airflow.serialization.serde import deserialize

        with create_session() as session:
            row = session.scalars(
                XComModel.get_many(
                    run_id=self.run_id, dag_ids=self.dag_id, task_ids=task_id, map_indexes=map_index, key=key
                )
            ).first()
            return None if row is None else deserialize(XComModel.deserialize_value(row))


class DagRunner:
    """Puts a DAG's file into the DAGs folder and runs it there.

    Args:
        folder: Airflow's DAGs folder; emptied by `clean`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _keep_the_api_server()

    def load(self, dag: str | Path, dag_id: str | None = None) -> Any:
        """Import a DAG from a file, from source text, or by the name of an example, and return it.

        Args:
            dag: a path; the id of a DAG in `example_dags/`; or a module's source (it has line breaks).
            dag_id: which one, if the file holds several.
        """
        self.clean()  # two files with one dag id are an error, and `dag.test()` parses the whole folder
        target = self.folder / f"dag_under_test_{next(_numbers)}.py"
        if isinstance(dag, str) and "\n" in dag:
            target.write_text(dag)
        else:
            source = EXAMPLES / f"{dag}.py" if isinstance(dag, str) else dag
            shutil.copy(source, target)
            for data in source.parent.glob("*.csv"):  # a DAG finds its data beside itself
                shutil.copy(data, self.folder)
        bag = _dag_bag(target)
        if bag.import_errors:
            raise ImportError("\n".join(bag.import_errors.values()))
        if dag_id is None:
            assert len(bag.dags) == 1, f"the file holds {sorted(bag.dags)}: name one"
            return next(iter(bag.dags.values()))
        return bag.dags[dag_id]

    def __call__(
        self, dag: str | Path, dag_id: str | None = None, *, conf: dict[str, Any] | None = None, **kwargs: Any
    ) -> FinishedRun:
        """Load a DAG (see `load`), run it to its end and tell how it ended.

        Args:
            dag: as in `load`.
            dag_id: as in `load`.
            conf: the run's configuration.
            kwargs: passed on to `dag.test()`, for example `mark_success_pattern` or `logical_date`.
        """
        from airflow import settings

        loaded = self.load(dag, dag_id)
        if version("apache-airflow-core") == "3.1.0":
            _store(self.folder)
        try:
            run = loaded.test(run_conf=conf, **kwargs)
            tasks = dict(_states(run.get_task_instances()))
            return FinishedRun(dag_id=loaded.dag_id, run_id=run.run_id, state=str(run.state), tasks=tasks)
        finally:
            settings.Session.remove()

    def clean(self) -> None:
        """Empty the DAGs folder."""
        for file in self.folder.glob("*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()


@functools.cache
def _keep_the_api_server() -> None:
    """What Airflow does by itself from 3.3 on: the tasks of a process ask one API server, which takes long to build."""
    from airflow.sdk.execution_time import supervisor

    if AIRFLOW < (3, 3):
        supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)


def _dag_bag(file: Path) -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag
    return DagBag(dag_folder=file)


def _store(folder: Path) -> None:
    """What `dag.test()` does by itself from 3.1.1 on."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.dagbag import sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(_dag_bag(folder), "dags-folder", None)


def _states(instances: list[Any]) -> Iterator[tuple[str | tuple[str, int], str | None]]:
    for instance in instances:
        key = instance.task_id if instance.map_index < 0 else (instance.task_id, instance.map_index)
        yield key, None if instance.state is None else str(instance.state)
