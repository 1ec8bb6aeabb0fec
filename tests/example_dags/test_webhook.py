"""The example that sets a webhook."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ringg_provider.ringg import RinggClient
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse


def test_a_webhook_is_set_to_the_address_that_was_given(run_dag: DagRunner, sandbox: Any, warehouse: Warehouse) -> None:
    run = run_dag("ringg_webhook", conf={"callback_url": "https://hooks.invalid/ringg"})
    assert run.state == "success", run
    assert run.xcom("set_webhook", map_index=0) == {"subscriptions": 1, "kept": 0, "changed": True}


def test_a_webhook_for_an_inbox_takes_its_secret_from_a_connection(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"webhook_secret": "a-secret-of-the-tests"}
    monkeypatch.setenv("AIRFLOW_CONN_INBOX", json.dumps({"conn_type": "ringg", "password": "k", "extra": extra}))
    run = run_dag("ringg_webhook", conf={"callback_url": "https://hooks.invalid/ringg", "secret_from": "inbox"})
    assert run.state == "success", run
    with RinggClient(sandbox.api_key, sandbox.base_url) as client:
        (found,) = client.get_agent("11111111-1111-4111-8111-111111111111").event_subscriptions or ()
    assert found["headers"] == {"Authorization": "Bearer a-secret-of-the-tests"}


@pytest.mark.parametrize("conf", [{}, {"callback_url": "http://hooks.invalid/ringg"}])
def test_a_webhook_has_no_address_by_default_and_none_without_tls(
    conf: dict[str, str], run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    with pytest.raises(Exception, match="Invalid input for param callback_url"):
        run_dag("ringg_webhook", conf=conf)
    assert sandbox.requests() == []
