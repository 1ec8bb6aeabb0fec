"""What is in a cell is what the platform reads, through a real upload."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringg_provider.contacts.cells import is_sendable
from ringg_provider.contacts.lists import Form, ListWriter, quoting_no_cell
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Layout, Sifter
from ringg_provider.exceptions import ServerError
from ringg_provider.ringg.limits import MAX_CSV_BYTES, PHONE_HEADER
from ringg_provider.ringg.requests import CampaignSpec
from ringg_provider.sql.reading import Rows
from tests.support.sandbox import Sandbox, running_sandbox

FORM = Form(("callee_name", "note"), PHONE_HEADER, MAX_CSV_BYTES)


@pytest.fixture(scope="module")
def platform() -> Iterator[Sandbox]:
    """A sandbox that tells which rows it read."""
    with running_sandbox("g3", save_echoes_rows=True) as sandbox:
        yield sandbox


def read_by(platform: Sandbox, rows: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Sift the rows, upload the list, and tell what the platform read."""
    spec = CampaignSpec(
        campaign_name="Round trip",
        agent_id="22222222-2222-4222-8222-222222222222",
        country_code="+91",
        variables_map={"mobile_number": PHONE_HEADER, **{name: name for name in FORM.variables}},
        call_config={"call_time": {"call_start_time": "09:00", "call_end_time": "21:00", "timezone": "Asia/Kolkata"}},
        campaign_start_time="18/10/2035, 09:00",
        campaign_end_time="18/10/2035, 21:00",
    )
    with Scratch() as scratch:
        layout = Layout("phone", {"callee_name": "name", "note": "note"}, may_be_empty=frozenset({"note"}))
        sifter = Sifter(layout, PhoneCleaner("+91"), ListWriter(scratch, FORM))
        sifter.run(Rows(("phone", "name", "note"), iter([rows])))
        assert sifter.counts == {"listed": len(rows)}
        answer = platform.admin.post(
            f"{platform.base_url}/campaign/save",
            headers={"X-API-KEY": platform.api_key},
            data=spec.form(),
            files={"file": ("contacts.csv", sifter.writer.lists[0].path.read_bytes(), "text/csv")},
        )
    assert answer.status_code == 200, answer.text
    body = json.loads(answer.content)
    assert body["failed_rows"] == 0
    return list(body["custom_args_values"])


_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text('",\n\r\t =+-@ab', max_size=12),
    st.sampled_from(
        ["\U0001f469\u200d\U0001f4bb", "محمد علي", "=1+1", "@A1", "-1", "a\r\nb", "\r", '"', '""', ",", " a "]
    ),
).filter(is_sendable)


@given(st.lists(st.tuples(_TEXTS.filter(str.strip), _TEXTS), min_size=1, max_size=20))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_arrives_unchanged(platform: Sandbox, people: list[tuple[str, str]]) -> None:
    rows = [(f"98765{number:05d}", name, note) for number, (name, note) in enumerate(people)]
    read = read_by(platform, rows)
    assert [(one["callee_name"], one["note"]) for one in read] == people
    assert [one["mobile_number"] for one in read] == [f"+91{row[0]}" for row in rows]


@pytest.mark.parametrize("size", [10, 200_000])
def test_an_errors_quotation_of_a_list_is_masked_however_large_its_cells_are(size: int, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    number, name = f"+91{9876543210}", "Asha Secretname"
    path.write_text(f"Mobile Number,callee_name,note\n{number},{name},{'x' * size}\n")
    told = f"row 1: {name!r} of {number} is no name"

    def upload() -> None:
        with quoting_no_cell(path):
            raise ServerError(told, status_code=500)

    with pytest.raises(ServerError) as caught:
        upload()
    assert str(caught.value) == "row 1: '[cell]' of [cell] is no name"
    assert caught.value.__context__ is None
