"""Four people: one opted out, one is not due yet. `python people.py warehouse.db` puts them into a database."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

ASHA, BENJAMIN, CHITRA, DEEPAK = "+919845000001", "+919845000002", "+919845000003", "+919845000004"


def make_tables(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE contacts (contact_id INTEGER, full_name TEXT, phone TEXT, days_left INTEGER)")
    people = [(1, "Asha", ASHA, 3), (2, "Benjamin", BENJAMIN, 5), (3, "Chitra", CHITRA, 2), (4, "Deepak", DEEPAK, 30)]
    connection.executemany("INSERT INTO contacts VALUES (?, ?, ?, ?)", people)
    connection.execute("CREATE TABLE do_not_call (phone TEXT)")
    connection.execute("INSERT INTO do_not_call VALUES ('09845 000003')")  # Chitra, in another spelling
    connection.commit()
    return connection


if __name__ == "__main__":
    make_tables(Path(sys.argv[1]))
