"""docs/calling-hours.md says what the shipped rules and the code say."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from ringg_provider.hours.plan import HoldCode
from ringg_provider.hours.rules import load_rules

DOCS = Path(__file__).parents[2] / "docs" / "calling-hours.md"


def rows_of_the_rules() -> list[str]:
    """One table row for each rule of the file, in its order."""
    text = resources.files("ringg_provider.hours").joinpath("data/calling_hours.toml").read_text("utf-8")
    rows = []
    for rule in tomllib.loads(text)["rules"]:
        hours = ", ".join(f"{days} {span}" for days, span in rule["hours"].items())
        also = ["no public holidays"] if rule.get("public_holidays") == "forbidden" else []
        if limit := rule.get("max_attempts_per_day"):
            also.append(f"{limit} attempts in 24 h")
        cells = [rule["jurisdiction"], ", ".join(rule["purposes"]), hours, ", ".join(also)]
        rows.append(
            " | ".join(["|", *cells, rule.get("basis", "law"), f"{rule['checked']} |"]).replace("| | ", "| ", 1)
        )
    return [re.sub(r" +", " ", row) for row in rows]


def test_the_table_of_the_docs_is_the_shipped_file():
    table = [re.sub(r" +", " ", line) for line in DOCS.read_text("utf-8").splitlines()]
    for row in rows_of_the_rules():
        assert row in table


def test_every_reason_to_hold_a_contact_has_its_line():
    codes = [value for name, value in vars(HoldCode).items() if name.isupper()]
    assert len(codes) == 6
    for code in codes:
        assert f"`{code}`" in DOCS.read_text("utf-8")


def test_the_example_file_of_the_docs_is_a_valid_set_of_rules(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "hours.toml"
    path.write_text(example)
    assert {rule.jurisdiction for rule in load_rules(path).rules} == {"DE", "DE-BY"}


@pytest.mark.parametrize("sentence", ["not legal advice", "have your own counsel"])
def test_the_docs_say_what_the_rules_are_not(sentence):
    assert sentence in DOCS.read_text("utf-8")
