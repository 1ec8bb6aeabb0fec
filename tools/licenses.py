"""Reads the licences of what an installation brings along, and refuses one that nobody has looked at.

Looked at are the packages that `ringg-provider` and its extras for users ask for, and those that these ask for, as they
are installed in this environment; so nothing is downloaded. `make lint` runs it.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Extras that users install; those for developers ship to nobody.
EXTRAS = ("sandbox", "ui", "duckdb", "snowflake", "bigquery", "redshift", "databricks", "mysql")
#: Licences that ask for no more than to be named.
PERMISSIVE = re.compile(
    r"\b(0BSD|Artistic|Apache[- ](License)?,?[- ]*(Version )?2(\.0)?|Apache( Software)?( License)?|BSD|BSD-[23]-Clause|"
    r"CC0|CNRI|HPND|ISC|MIT(-0)?|NCSA|OFL|PIL|PSF(-2\.0)?|Python Software Foundation|PostgreSQL|Public Domain|"
    r"Unlicense|UPL|WTFPL|Zlib|ZPL|Boost)\b",
    re.IGNORECASE,
)
#: Weak copyleft: free to use beside other code as it is, which an import does.
WEAK = re.compile(r"\b(MPL([- ]?2\.0)?|Mozilla Public License|LGPL(-?[\d.]+)?|Lesser General Public)\b", re.IGNORECASE)
STRONG = re.compile(r"(?<!Lesser )(?<!L)\b(A?GPL|Affero|GNU General Public License)", re.IGNORECASE)
#: Packages whose metadata say nothing that can be read, and what their own licence file says.
READ_BY_HAND = {
    # Its classifiers name both, its licence file says "either".
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",
}


def licence(package: Distribution) -> str:
    """What a package says of its licence: the expression, its classifiers, or the first line of the old field."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classifiers = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier", []) if line.startswith("License ::")
    ]
    specific = [name for name in classifiers if name != "OSI Approved"]
    old = str(told.get("License") or "").strip().partition("\n")[0][:80]
    return " and ".join(specific) or old


def verdict(text: str) -> str:
    """`permissive`, `weak`, or why a person has to look."""
    if not text:
        return "it names no licence"
    if " OR " in text.upper() and PERMISSIVE.search(text):
        return "permissive"  # we may choose
    if STRONG.search(text):
        return "it may bind what is shipped beside it"
    if WEAK.search(text):
        return "weak"
    return "permissive" if PERMISSIVE.search(text) else "its licence is none that is known here"


def installed(root: str, extras: tuple[str, ...]) -> dict[str, Distribution]:
    """The packages that one asks for, with those that they ask for; what is not installed here is left out."""
    found: dict[str, Distribution] = {}
    waiting: deque[tuple[str, frozenset[str]]] = deque([(root, frozenset(extras))])
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, wanted = waiting.popleft()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[canonicalize_name(name)] = package
        for line in package.requires or []:
            asked = Requirement(line)
            if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
                waiting.append((canonicalize_name(asked.name), frozenset(asked.extras)))
    return found


def main() -> int:
    """Print what a person has to look at; returns the exit code."""
    packages = installed("ringg-provider", EXTRAS)
    packages.pop("ringg-provider", None)
    told = {name: READ_BY_HAND.get(name) or licence(package) for name, package in sorted(packages.items())}
    judged = {name: verdict(text) for name, text in told.items()}
    strange = {name: why for name, why in judged.items() if why not in ("permissive", "weak")}
    for name, why in strange.items():
        print(f"{name}: {why}: {told[name]!r}")
    weak = [f"{name} ({told[name]})" for name, why in judged.items() if why == "weak"]
    print(f"licences of {len(judged)} packages; to be shipped unchanged: {', '.join(weak) or 'none'}")
    return 1 if strange or not judged else 0


if __name__ == "__main__":
    sys.exit(main())
