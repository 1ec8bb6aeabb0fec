"""The spans of a night, in memory: their names, how they nest, what is in them, and what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.tracing import span
from ringg_provider.transfers.ringg_publish import RinggPublishOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.support.databases import Warehouse
from tests.support.tasks import context

NUMBER, NAME = "9876543987", "Zyxmarkedname"
AGENT = "22222222-2222-4222-8222-222222222222"
LISTS: dict[str, Any] = {
    "task_id": "lists",
    "sql_conn_id": "warehouse",
    "sql": f"SELECT phone, name FROM people WHERE name = '{NAME}'",
    "ringg_conn_id": "ringg_sandbox",
    "agent_id": AGENT,
    "campaign_name": "Survey",
    "phone_column": "phone",
    "country_code": "+91",
    "variables_map": {"callee_name": "name"},
    "contacts_table": "ringg_contacts",
    "call_config": {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}},
}
CALLERS = ["aaaaaaaa-0000-4000-8000-000000000001"]


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    """Takes the spans of this process; there is one tracer provider in it, for good."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    yield kept
    kept.shutdown()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """Without those of the test before."""
    exporter.clear()
    return exporter


@pytest.fixture
def lists(sandbox: Any, sqlite_warehouse: Warehouse, spans: InMemorySpanExporter) -> list[dict[str, Any]]:
    """One list of one person, uploaded."""
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, :name)", phone=NUMBER, name=NAME)
    return list(SqlToRinggOperator(**LISTS).execute(context()))


def launch(item: dict[str, Any], **options: Any) -> str:
    options = {"from_numbers": CALLERS, "state_conn_id": "warehouse", "launch_key": "key", **options}
    return RinggLaunchOperator(task_id="launch", launch=item, ringg_conn_id="ringg_sandbox", **options).execute(
        context()
    )


def taken(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans, as they began; none of them holds anything personal, whatever it is."""
    found = sorted(exporter.get_finished_spans(), key=lambda each: each.start_time or 0)
    for each in found:
        assert each.events == ()
        assert not each.status.description
        assert NUMBER not in each.to_json()
        assert NAME not in each.to_json()
    exporter.clear()
    return found


def tree(found: list[ReadableSpan]) -> list[str]:
    """Their names, each under those that it stands in."""
    by_id = {each.context.span_id: each for each in found if each.context}

    def path(each: ReadableSpan) -> str:
        above = by_id.get(each.parent.span_id) if each.parent else None
        return each.name if above is None else f"{path(above)} > {each.name}"

    return [path(each) for each in found]


def test_a_night_is_spans_of_its_steps(
    lists: list[dict[str, Any]], spans: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = taken(spans)
    assert tree(uploaded) == ["ringg.contacts.read", "ringg.contacts.upload", "ringg.contacts.note"]
    assert [dict(each.attributes or {}) for each in uploaded] == [
        {"ringg.rows": 1},
        {"ringg.rows": 1, "ringg.list_id": lists[0]["list_id"]},
        {},
    ]
    list_id = launch(lists[0])
    launched = taken(spans)
    assert tree(launched) == [
        "ringg.launch",
        "ringg.launch > ringg.launch.look",
        "ringg.launch > ringg.launch.intend",
        "ringg.launch > ringg.launch.start",
    ]
    whole, look, _, start = (dict(each.attributes or {}) for each in launched)
    assert whole == {"ringg.platform": "ringg", "ringg.list_id": list_id, "ringg.adopted": False}
    assert look == {"ringg.list_id": list_id, "ringg.state": "ready"}
    assert start == {"ringg.list_id": list_id, "ringg.attempt": 1}
    assert launch(lists[0]) == list_id
    adopted = taken(spans)
    assert tree(adopted) == ["ringg.launch", "ringg.launch > ringg.launch.look"]
    assert (adopted[0].attributes or {})["ringg.adopted"] is True

    RinggCallsToSqlOperator(task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="warehouse").execute(context())
    read = tree(taken(spans))
    assert {"ringg.history.page", "ringg.sql.merge"} <= set(read)

    copy = tmp_path / "copy.db"
    monkeypatch.setenv("AIRFLOW_CONN_COPY", f'{{"conn_type": "sqlite", "host": "{copy}"}}')
    RinggPublishOperator(task_id="publish", state_conn_id="warehouse", warehouse_conn_id="copy").execute(context())
    published = taken(spans)
    assert {path.rpartition(" > ")[2] for path in tree(published) if path.startswith("ringg.publish > ")} >= {
        "ringg.publish.spool",
        "ringg.publish.load",
        "ringg.publish.merge",
    }


def test_a_lost_answer_is_settled_under_the_launch(
    lists: list[dict[str, Any]], sandbox: Any, spans: InMemorySpanExporter
) -> None:
    spans.clear()
    sandbox.fault(method="POST", path="/campaign/start", kind="cut", when="after")
    launch(lists[0])
    found = taken(spans)
    assert tree(found)[3:] == [
        "ringg.launch > ringg.launch.start",
        "ringg.launch > ringg.launch.settle",
        "ringg.launch > ringg.launch.settle > ringg.launch.look",
    ]
    start, settle = found[3:5]
    assert (start.attributes or {})["error.type"] == "NetworkError"
    assert start.status.status_code is StatusCode.ERROR
    assert (settle.attributes or {})["ringg.state"] == "started"
    assert found[0].status.status_code is StatusCode.UNSET


def test_of_an_error_only_its_class_is_noted(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match=NUMBER), span("ringg.outer"), span("ringg.inner", rows=3, state=None):
        raise ValueError(f"{NAME} has {NUMBER}")
    outer, inner = taken(spans)
    for each in (outer, inner):
        assert each.status.status_code is StatusCode.ERROR
        assert (each.attributes or {})["error.type"] == "ValueError"
    assert dict(inner.attributes or {}) == {"ringg.rows": 3, "error.type": "ValueError"}


def test_the_documentation_lists_every_span() -> None:
    root = Path(__file__).parents[1]
    page = (root / "docs" / "observability.md").read_text()
    sources = [path.read_text() for path in (root / "ringg_provider").rglob("*.py")]
    opened = {name for source in sources for name in re.findall(r'\bspan\(\s*"(ringg\.[a-z.]+)"', source)}
    traces = page.partition("## Traces")[2]
    assert opened == set(re.findall(r"^\| `(ringg\.[a-z.]+)` \|", traces, re.MULTILINE))
