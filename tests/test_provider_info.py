"""What the provider tells Airflow about itself is true and complete."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from ringg_provider import __version__
from ringg_provider.get_provider_info import get_provider_info
from tests.support.provided import public_classes

INFO = get_provider_info()
AIRFLOW = Path(airflow.__path__[0])
CONNECTIONS = {entry["connection-type"]: entry for entry in INFO["connection-types"]}


def load(class_name: str) -> Any:
    module, name = class_name.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def listed_modules(kind: str) -> set[str]:
    if kind == "transfers":
        return {entry["python-module"] for entry in INFO["transfers"]}
    return {module for entry in INFO[kind] for module in entry["python-modules"]}


def test_airflows_runtime_schema_accepts_the_provider_info() -> None:
    jsonschema.validate(INFO, json.loads((AIRFLOW / "provider_info.schema.json").read_text()))


def test_cores_schema_accepts_what_the_runtime_schema_does_not_look_into() -> None:
    schema = json.loads((AIRFLOW / "provider.yaml.schema.json").read_text())
    if AIRFLOW_BEFORE_FORMS:  # 3.1 refuses the keys of the connection form, which it does not know
        schema["properties"]["connection-types"]["items"]["additionalProperties"] = True
    keys = [
        "connection-types",
        "integrations",
        "operators",
        "sensors",
        "hooks",
        "triggers",
        "transfers",
        "extra-links",
        "config",
    ]
    part = {"type": "object", "properties": {key: schema["properties"][key] for key in keys}}
    jsonschema.validate(
        {key: INFO[key] for key in keys}, {**part, "definitions": schema.get("definitions", {}), "required": keys}
    )


AIRFLOW_BEFORE_FORMS = "conn-fields" not in (AIRFLOW / "provider.yaml.schema.json").read_text()


def test_the_package_name_is_the_distributions_name() -> None:
    assert INFO["package-name"] == distribution("ringg-provider").metadata["Name"]
    assert importlib.import_module(INFO["package-name"].replace("-", "_")).__version__ == __version__


def test_the_entry_point_leads_to_the_provider_info() -> None:
    (entry,) = distribution("ringg-provider").entry_points.select(group="apache_airflow_provider")
    assert entry.load()() == INFO


def test_reading_the_provider_info_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ringg_provider.get_provider_info import get_provider_info; get_provider_info();"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'airflow', 'pydantic', 'httpx', 'sqlalchemy', 'pendulum', 'phonenumbers'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers", "transfers"])
def test_every_module_with_a_public_class_is_listed_and_no_other(kind: str) -> None:
    assert listed_modules(kind) == {found.__module__ for found in public_classes(kind)}


def test_every_link_is_listed_and_no_other() -> None:
    assert set(INFO["extra-links"]) == {f"{found.__module__}.{found.__name__}" for found in public_classes("links")}


def test_every_named_integration_is_one_that_somebody_declares() -> None:
    ours = {entry["integration-name"] for entry in INFO["integrations"]}
    named = {
        entry[key]
        for kind in ("operators", "sensors", "hooks", "triggers", "transfers")
        for entry in INFO[kind]
        for key in entry
        if key.endswith("integration-name")
    }
    theirs = {
        entry["integration-name"]
        for provider in ProvidersManager().providers.values()
        for entry in provider.data.get("integrations", [])
    }
    assert named <= ours | theirs
    assert ours <= named


@pytest.mark.parametrize("entry", CONNECTIONS.values(), ids=CONNECTIONS)
def test_the_form_says_the_same_as_the_hook_does(entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    hook = load(entry["hook-class-name"])
    behaviour = hook.get_ui_field_behaviour()
    assert {key.replace("_", "-"): value for key, value in behaviour.items()} == entry["ui-field-behaviour"]
    assert (hook.conn_type, hook.hook_name) == (entry["connection-type"], entry["hook-name"])

    # Airflow 3.1 asks the hook for the widgets; what they are made of need not be installed: Airflow replaces it too.
    for name in ("flask_appbuilder", "flask_appbuilder.fieldwidgets", "wtforms", "wtforms.validators", "flask_babel"):
        monkeypatch.setitem(sys.modules, name, _Anything(name))
    widgets = hook.get_connection_form_widgets()
    assert {name: widget[0] for name, widget in widgets.items()} == {
        name: field["label"] for name, field in entry["conn-fields"].items()
    }


class _Anything(ModuleType):
    """A module in which every name is a class that keeps its arguments."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **_: args


@pytest.mark.parametrize("entry", CONNECTIONS.values(), ids=CONNECTIONS)
def test_airflow_finds_the_hook_behind_the_connection_type(entry: dict[str, Any]) -> None:
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

        found = ProvidersManagerTaskRuntime().hooks[entry["connection-type"]]
    except ImportError:  # Airflow 3.1
        found = ProvidersManager().hooks[entry["connection-type"]]
    assert found is not None
    assert found.hook_class_name == entry["hook-class-name"]
    assert found.package_name == "ringg-provider"
    assert found.connection_testable


def test_airflow_takes_the_extra_links() -> None:
    assert set(INFO["extra-links"]) <= set(ProvidersManager().extra_links_class_names)
    for link in INFO["extra-links"]:
        assert load(link)().name


def test_airflow_knows_the_provider_by_its_version() -> None:
    assert ProvidersManager().providers["ringg-provider"].version == __version__
