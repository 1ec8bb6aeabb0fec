"""6,000 policy holders as a warehouse really has them: most are fine, some cannot or must not be called.

The same seed makes the same people. Nobody here exists; the numbers only have the shape of real ones, and
nothing in this project dials.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("contact_id", sa.String(12), primary_key=True),
    sa.Column("full_name", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("city", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("segment", sa.String(16), nullable=False),  # "renewal": a policy falls due; "survey": the others
    sa.Column("policy_id", sa.String(16), nullable=False),
    sa.Column("due_date", sa.Date, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    comment="Policy holders, as the business enters them",
)

do_not_call = sa.Table(
    "do_not_call",
    metadata,
    sa.Column("phone", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
    comment="Numbers that asked not to be called",
)

_FIRST = str.split(
    "Aarav Aditi Ajay Akash Amit Ananya Anil Anjali Arjun Asha Bhavna Chetan Deepa Deepak Divya Farhan "
    "Fatima Gaurav Geeta Harish Imran Isha Jaya Karan Kavita Kiran Lakshmi Madhav Manish Meera Mohan "
    "Nandini Naveen Neha Nikhil Nisha Pooja Pradeep Priya Rahul Rajesh Ramesh Rekha Ritu Rohan Sadia "
    "Sanjay Sarita Shreya Sneha Sunil Suresh Tanvi Uma Varun Vijay"
)
_LAST = str.split(
    "Agarwal Ahmed Bansal Bhat Chopra Das Deshmukh Dutta Fernandes Ghosh Gowda Gupta Iyer Jain Joshi "
    "Kapoor Khan Kulkarni Kumar Mehta Mishra Nair Naidu Patel Patil Pillai Rao Reddy Saxena Shah Sharma "
    "Shetty Singh Srinivasan Thakur Verma Yadav"
)
_PLACES = [
    ("Bengaluru", "KA"),
    ("Mumbai", "MH"),
    ("Pune", "MH"),
    ("Hyderabad", "TG"),
    ("Chennai", "TN"),
    ("Kochi", "KL"),
    ("Delhi", "DL"),
    ("Jaipur", "RJ"),
    ("Kolkata", "WB"),
    ("Ahmedabad", "GJ"),
    ("Lucknow", "UP"),
    ("Guwahati", "AS"),
]
_SPELLINGS = ("+91{0}", "+91 {1} {2}", "{0}", "0{0}", "0{1}-{2}", "(+91) {1}.{2}", "0091{0}", "91{0}")

# Of 1,000 rows, how many have each defect; the rest are as they should be.
_DEFECTS = {
    "phone_missing": 10,
    "phone_unreadable": 10,
    "phone_too_short": 15,
    "toll_free": 4,
    "other_country": 20,
    "duplicate": 25,
    "name_missing": 15,
    "control_character": 2,
}
_OPTED_OUT = 0.04


def generate(count: int = 6_000, seed: int = 7, today: date | None = None) -> Iterator[dict[str, Any]]:
    """Make rows of the table `contacts`.

    Args:
        count: how many.
        seed: the same seed makes the same people.
        today: the day that due dates are counted from. Default: today, UTC.
    """
    chance = random.Random(seed)
    today = today or datetime.now(UTC).date()
    kinds, weights = zip(*_DEFECTS.items(), ("fine", 1_000 - sum(_DEFECTS.values())), strict=True)
    good: list[str] = []
    taken: set[str] = set()
    for number in range(1, count + 1):
        kind = chance.choices(kinds, weights)[0]
        national = _mobile(chance, taken)
        name: str | None = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
        phone: str | None = _spell(chance, national)
        if kind == "phone_missing":
            phone = chance.choice([None, "", "  "])
        elif kind == "phone_unreadable":
            two = f"{national} / {_mobile(chance, taken)}"
            phone = chance.choice(["call the office", "9.84501E+09", two, "N/A"])
        elif kind == "phone_too_short":
            phone = phone and phone[: -chance.randint(2, 4)]
        elif kind == "toll_free":
            phone = f"1800{chance.randint(1_000_000, 9_999_999)}"
        elif kind == "other_country":
            shape = chance.choice(["+1415555{:04d}", "+44791112{:04d}", "+97150123{:04d}"])
            phone = shape.format(chance.randint(0, 9_999))
        elif kind == "duplicate" and good:
            phone = _spell(chance, chance.choice(good))
        elif kind == "name_missing":
            name = chance.choice([None, "", " "])
        elif kind == "control_character":
            name = f"{name}\x0b"
        else:
            good.append(national)
        city, state = chance.choice(_PLACES)
        renewal = chance.random() < 0.35
        yield {
            "contact_id": f"C{number:06d}",
            "full_name": name,
            "phone": phone,
            "city": city,
            "state": state,
            "timezone": "Asia/Kolkata",
            "segment": "renewal" if renewal else "survey",
            "policy_id": f"POL-{chance.randint(10_000_000, 99_999_999)}",
            "due_date": today + timedelta(days=chance.randint(1, 30) if renewal else chance.randint(31, 330)),
            "updated_at": datetime.now(UTC) - timedelta(minutes=chance.randint(1, 200_000)),
        }


def load(engine: sa.Engine, count: int = 6_000, seed: int = 7) -> int:
    """Create both tables and fill them; some of the good numbers have asked not to be called.

    Returns:
        How many contacts there are.
    """
    rows = list(generate(count, seed))
    chance = random.Random(seed + 1)
    reasons = ["asked on a call", "unsubscribed online", "complaint", "national register"]
    refused = {
        row["phone"]: {
            "phone": row["phone"],
            "reason": chance.choice(reasons),
            "added_at": datetime.now(UTC) - timedelta(days=chance.randint(1, 900)),
        }
        for row in rows
        if row["phone"] and row["phone"].strip() and chance.random() < _OPTED_OUT
    }
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(contacts.insert(), rows)
        connection.execute(do_not_call.insert(), list(refused.values()))
    return len(rows)


def _mobile(chance: random.Random, taken: set[str]) -> str:
    """Ten digits of an Indian mobile number that nobody has yet."""
    while True:
        national = f"{chance.choice('789')}{chance.randint(0, 999_999_999):09d}"
        if national not in taken:
            taken.add(national)
            return national


def _spell(chance: random.Random, national: str) -> str:
    return chance.choice(_SPELLINGS).format(national, national[:5], national[5:])
