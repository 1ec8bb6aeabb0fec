"""The rules' file: what it takes, what it refuses and how it says so, and what is shipped in it."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib import resources

import pytest

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.purposes import PURPOSES
from ringg_provider.hours.rules import CallingHours, load_rules, public_holiday

MONDAY, SATURDAY, SUNDAY = date(2026, 10, 12), date(2026, 10, 17), date(2026, 10, 18)


def document(**changes):
    """A set with one valid rule; changes replace its fields, None removes one."""
    rule = {
        "jurisdiction": "US-CT",
        "purposes": ["promotional"],
        "hours": {"daily": "09:00-20:00"},
        "source": "a statute",
        "checked": "2026-11-20",
    } | changes
    return {"rules": [{name: value for name, value in rule.items() if value is not None}]}


def clock(hours: CallingHours | None, day: date) -> list[str]:
    assert hours is not None
    return [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in hours.on(day)]


def hours_of(**changes) -> CallingHours | None:
    return load_rules(document(jurisdiction="DE", **changes)).hours_for("DE", None, "promotional")


class TestForm:
    def test_days_are_named_alone_in_ranges_or_all_at_once_and_others_are_closed(self):
        rule = hours_of(hours={"mon-fri": "09:00-18:00", "sat": ["10:00-12:00", "14:00-17:00"]})
        assert clock(rule, MONDAY) == ["09:00-18:00"]
        assert clock(rule, SATURDAY) == ["10:00-12:00", "14:00-17:00"]
        assert clock(rule, SUNDAY) == []
        assert clock(hours_of(hours={"daily": "00:00-24:00"}), SUNDAY) == ["00:00-24:00"]

    @pytest.mark.parametrize(
        ("changes", "field", "rule"),
        [
            ({"hours": {"daily": "9-20"}}, "hours", "'HH:MM-HH:MM' on a 24-hour clock"),
            ({"hours": {"daily": "20:00-09:00"}}, "hours", "must open before they close"),
            ({"hours": {"daily": "09:00-25:00"}}, "hours", "'HH:MM-HH:MM'"),
            ({"hours": {"daily": 9}}, "hours", "'HH:MM-HH:MM'"),
            ({"hours": {"someday": "09:00-20:00"}}, "hours", "days are 'daily'"),
            ({"hours": {"fri-mon": "09:00-20:00"}}, "hours", "days are 'daily'"),
            ({"hours": {"mon-fri": "09:00-20:00", "fri": "10:00-12:00"}}, "hours", "names fri twice"),
            ({"hours": {}}, "hours", "must be a table"),
            ({"hours": "09:00-20:00"}, "hours", "must be a table"),
            ({"purposes": []}, "purposes", "at least 1"),
            ({"purposes": ["sales"]}, "purposes[0]", "'promotional'"),
            ({"purposes": "promotional"}, "purposes", "list"),
            ({"max_attempts_per_day": 0}, "max_attempts_per_day", "greater than or equal to 1"),
            ({"max_attempts_per_day": "3"}, "max_attempts_per_day", "integer"),
            ({"public_holidays": "no"}, "public_holidays", "'forbidden'"),
            ({"checked": "yesterday"}, "checked", "isoformat"),
            ({"source": None}, "source", "required"),
            ({"source": ""}, "source", "at least 1 character"),
            ({"color": "blue"}, "color", "not permitted"),
        ],
    )
    def test_a_wrong_entry_is_one_error_that_names_rule_and_field(self, changes, field, rule):
        with pytest.raises(InvalidRequest) as caught:
            load_rules(document(**changes))
        assert caught.value.field == f"calling_hours.rules[0].{field}"
        assert "the rule for US-CT" in str(caught.value)
        assert rule in str(caught.value)

    @pytest.mark.parametrize("jurisdiction", ["us", "USA", "US_CT", "US-", None, 1])
    def test_a_jurisdiction_is_an_iso_code(self, jurisdiction):
        with pytest.raises(InvalidRequest, match=r"rules\[0\].jurisdiction"):
            load_rules(document(jurisdiction=jurisdiction))

    def test_public_holidays_need_a_calendar_of_the_jurisdiction(self):
        # Easter Monday is a holiday in London and not in the calendar of the whole United Kingdom.
        with pytest.raises(InvalidRequest, match="has no such calendar"):
            load_rules(document(jurisdiction="GB-LND", public_holidays="forbidden"))
        assert load_rules(document(jurisdiction="GB-ENG", public_holidays="forbidden"))

    def test_a_country_that_is_none_is_refused_because_its_rule_would_protect_nobody(self):
        with pytest.raises(InvalidRequest, match=r"the rule for UK\): must begin with the ISO 3166 code of a country"):
            load_rules(document(jurisdiction="UK"))

    def test_two_rules_for_one_jurisdiction_and_purpose_are_refused(self):
        rules = document()["rules"] + document(purposes=["survey", "promotional"])["rules"]
        with pytest.raises(InvalidRequest, match="two rules for US-CT and promotional"):
            load_rules({"rules": rules})

    def test_zones_must_exist(self):
        with pytest.raises(InvalidRequest, match=r"zones\.US-CT: every entry must be an IANA"):
            load_rules(document() | {"zones": {"US-CT": ["Connecticut"]}})


class TestFile:
    def test_a_path_replaces_the_shipped_rules_completely(self, tmp_path):
        path = tmp_path / "hours.toml"
        path.write_text(
            '[[rules]]\njurisdiction = "DE"\npurposes = ["survey"]\nhours = { mon-sat = "09:00-20:00" }\n'
            'source = "house rule"\nchecked = 2026-11-20\n'
        )
        rules = load_rules(str(path))
        assert clock(rules.hours_for("DE", None, "survey"), MONDAY) == ["09:00-20:00"]
        assert rules.hours_for("IN", None, "promotional") is None

    def test_a_file_that_is_not_there_is_an_invalid_request(self, tmp_path):
        with pytest.raises(InvalidRequest, match="cannot be read") as caught:
            load_rules(tmp_path / "missing.toml")
        assert caught.value.field == "calling_hours"

    def test_a_file_that_is_not_toml_is_an_invalid_request(self, tmp_path):
        path = tmp_path / "hours.toml"
        path.write_text("rules: yaml")
        with pytest.raises(InvalidRequest, match="not valid TOML"):
            load_rules(path)


class TestIntersection:
    rules = {
        "rules": [
            document(jurisdiction="US", hours={"daily": "08:00-21:00"})["rules"][0],
            document(hours={"mon-sat": "09:00-22:00"}, max_attempts_per_day=5)["rules"][0],
            document(
                jurisdiction="US-FL",
                hours={"daily": "07:00-20:00"},
                max_attempts_per_day=3,
                public_holidays="forbidden",
            )["rules"][0],
        ]
    }

    def test_a_regions_rule_applies_on_top_of_its_countrys(self):
        connecticut = load_rules(self.rules).hours_for("US", "US-CT", "promotional")
        assert clock(connecticut, MONDAY) == ["09:00-21:00"]
        assert clock(connecticut, SUNDAY) == []
        assert connecticut.max_attempts_per_day == 5

    def test_a_region_without_a_rule_has_its_countrys(self):
        assert clock(load_rules(self.rules).hours_for("US", "US-CA", "promotional"), SUNDAY) == ["08:00-21:00"]

    def test_an_unknown_region_has_the_strictest_of_everything(self):
        unknown = load_rules(self.rules).hours_for("US", None, "promotional")
        assert clock(unknown, MONDAY) == []  # Columbus Day is a public holiday in the country's calendar
        assert clock(unknown, date(2026, 10, 13)) == ["09:00-20:00"]
        assert clock(unknown, SUNDAY) == []
        assert unknown.max_attempts_per_day == 3

    def test_regions_with_rules_do_not_make_up_for_a_country_without(self):
        assert load_rules(document()).hours_for("US", None, "promotional") is None
        assert load_rules(document()).hours_for("US", "US-CA", "promotional") is None
        assert load_rules(document()).hours_for("US", "US-CT", "promotional") is not None


class TestShipped:
    rules = load_rules()

    def hours(self, jurisdiction: str, purpose: str, day: date) -> list[str]:
        country, _, region = jurisdiction.partition("-")
        return clock(self.rules.hours_for(country, jurisdiction if region else "US-none", purpose), day)

    @pytest.mark.parametrize(
        ("jurisdiction", "purpose", "weekday", "sunday"),
        [
            ("IN", "promotional", ["09:00-21:00"], ["09:00-21:00"]),
            ("IN", "recovery", ["08:00-19:00"], ["08:00-19:00"]),
            ("US", "promotional", ["08:00-21:00"], ["08:00-21:00"]),
            ("US", "recovery", ["08:00-21:00"], ["08:00-21:00"]),
            ("US-FL", "promotional", ["08:00-20:00"], ["08:00-20:00"]),
            ("US-FL", "recovery", ["08:00-21:00"], ["08:00-21:00"]),
            ("US-OK", "promotional", ["08:00-20:00"], ["08:00-20:00"]),
            ("US-CT", "promotional", ["09:00-20:00"], ["09:00-20:00"]),
            ("US-KY", "promotional", ["10:00-21:00"], ["10:00-21:00"]),
            ("US-AL", "promotional", ["08:00-20:00"], []),
            ("US-LA", "promotional", ["08:00-20:00"], []),
            ("US-MS", "promotional", ["08:00-20:00"], []),
            ("US-RI", "promotional", ["09:00-18:00"], []),
            ("US-TX", "promotional", ["09:00-21:00"], ["12:00-21:00"]),
            ("GB", "promotional", ["08:00-21:00"], ["08:00-21:00"]),
        ],
    )
    def test_hours_are_those_of_their_sources(self, jurisdiction, purpose, weekday, sunday):
        assert self.hours(jurisdiction, purpose, date(2026, 10, 14)) == weekday
        assert self.hours(jurisdiction, purpose, SUNDAY) == sunday

    @pytest.mark.parametrize("state", ["AL", "LA", "RI"])
    def test_states_that_close_public_holidays_are_closed_on_thanksgiving(self, state):
        assert self.hours(f"US-{state}", "promotional", date(2026, 11, 26)) == []
        assert self.hours("US-MS", "promotional", date(2026, 11, 26)) == ["08:00-20:00"]

    def test_rhode_island_is_closed_on_saturdays(self):
        assert self.hours("US-RI", "promotional", SATURDAY) == []

    @pytest.mark.parametrize("state", ["FL", "OK"])
    def test_states_with_a_limit_of_attempts_have_three_in_a_day(self, state):
        assert self.rules.hours_for("US", f"US-{state}", "promotional").max_attempts_per_day == 3
        assert self.rules.hours_for("US", "US-CT", "promotional").max_attempts_per_day is None

    @pytest.mark.parametrize("purpose", ["service", "survey"])
    def test_india_has_no_rule_beyond_promotion_and_recovery(self, purpose):
        assert self.rules.hours_for("IN", None, purpose) is None

    def test_the_united_kingdom_is_a_stated_default_for_every_purpose(self):
        (rule,) = [rule for rule in self.rules.rules if rule.jurisdiction == "GB"]
        assert rule.basis == "default"
        assert sorted(rule.purposes) == sorted(PURPOSES)

    def test_every_rule_has_a_source_and_a_date_that_is_not_in_the_future_of_the_file(self):
        text = resources.files("ringg_provider.hours").joinpath("data/calling_hours.toml").read_text("utf-8")
        assert len(tomllib.loads(text)["rules"]) == len(self.rules.rules)
        for rule in self.rules.rules:
            assert len(rule.source) > 10
            assert date(2026, 11, 20) <= rule.checked

    def test_every_american_region_has_its_zones(self):
        from holidays import list_supported_countries

        states = set(list_supported_countries()["US"]) - {"UM"}  # nobody lives on the Minor Outlying Islands
        assert {f"US-{state}" for state in states} == set(self.rules.zones)
        assert set(self.rules.territories.values()) <= set(self.rules.zones)


def test_a_holiday_of_a_state_is_not_one_of_its_country():
    mardi_gras = date(2026, 2, 17)
    assert public_holiday("US-LA", mardi_gras) == "Mardi Gras"
    assert public_holiday("US", mardi_gras) is None
    assert public_holiday("US", date(2026, 12, 25)) == "Christmas Day"


@pytest.mark.parametrize(
    ("country", "text", "place"),
    [
        ("US", "FL", ("US", "US-FL")),
        ("US", " us-fl ", ("US", "US-FL")),
        ("US", "new york", ("US", "US-NY")),
        ("IN", "US-FL", ("US", "US-FL")),
        ("IN", "KA", ("IN", "IN-KA")),
        ("US", "Narnia", ("US", None)),
        ("US", "", ("US", None)),
        ("US", "FR-ZZZ", ("FR", None)),
        ("US", "ZZ-FL", ("US", None)),
        ("ZZ", "FL", ("ZZ", None)),
    ],
)
def test_regions_are_read_in_codes_and_names(country, text, place):
    assert load_rules().read_region(country, text) == place
