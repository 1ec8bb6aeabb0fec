"""Run the suite on every supported Airflow and Python, and write the table in `docs/compatibility.md`.

Each cell of the matrix has an environment of its own below `.matrix/`, made from its file in `constraints/`, and
leaves a log and a result there. A cell is run folder by folder, and what was run on this very tree is not run again, so
that a matrix of some hours can be stopped at any time and taken up. A Python is found on the PATH as `python3.12` and
the like, or named by `PYTHONS`.

    make test-matrix
    make test-matrix CELLS="3.4/3.11 3.1/3.13"
    make test-matrix PYTHONS="/opt/python3.14/bin/python3.14"
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from constraints import LOWEST, MINORS, ROOT, UV, file_of

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXCLUDED = {("3.1", "3.14"): "Airflow 3.1 excludes Python 3.14"}
FOLDER = ROOT / ".matrix"
TABLE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- the table of make test-matrix -->", "<!-- end of the table -->"
APART = "warehouses"  # has an environment of its own, and runs on one Airflow
ALONE = "faults"  # its tests share one Airflow, and run by themselves

RAN = {0, 1}  # what pytest ends with when tests ran, whether or not all passed


@dataclass(frozen=True)
class Result:
    """What one cell gave.

    :param tree: a digest of everything that git tracks, as it was.
    :param commit: the commit that the tree was, or was changed from.
    :param airflow: Airflow's version.
    :param python: Python's version.
    :param failures: which tests failed.
    :param seconds: how long it took.
    :param date: when it ended.
    """

    tree: str
    commit: str
    airflow: str
    python: str
    passed: int
    failed: int
    skipped: int
    failures: list[str]
    seconds: int
    date: str


@dataclass(frozen=True)
class Cell:
    """One Airflow on one Python: its environment, its log, its result.

    :param airflow: a minor, or "lowest".
    :param python: a minor.
    """

    airflow: str
    python: str

    def __str__(self) -> str:
        return f"{self.airflow}/{self.python}"

    def _file(self, kind: str) -> Path:
        return FOLDER / f"{self.airflow}-{self.python}{kind}"

    @property
    def interpreter(self) -> str | None:
        """The Python of this machine that it runs on."""
        name = f"python{self.python}"
        named = [path for path in os.environ.get("PYTHONS", "").split() if Path(path).name == name]
        return next(iter(named), None) or shutil.which(name)

    def result(self) -> Result | None:
        """What it gave the last time; None when it never ran to its end."""
        file = self._file(".json")
        return Result(**json.loads(file.read_text())) if file.exists() else None

    def run(self, tree: str) -> Result:
        """Install what is pinned, run the suite, and keep what it gave."""
        python = self._installed()
        log, xml = self._file(".log"), self._file(".xml")
        environment = os.environ | {
            "EXPECTED_AIRFLOW": MINORS[0] if self.airflow == LOWEST else self.airflow,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = self._pieces(tree)
        for piece, arguments in pieces():
            if piece in done:
                continue
            started = time.monotonic()
            xml.unlink(missing_ok=True)
            command = [python, "-m", "pytest", "-q", f"--junit-xml={xml}", *arguments]
            with log.open("a" if done else "w") as output:
                ended = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False)
            if ended.returncode not in RAN:
                raise SystemExit(f"{self}, {piece}: pytest ended with {ended.returncode}; see {log}")
            outcomes = list(_outcomes(xml))
            counts = Counter(outcome for _, outcome in outcomes)
            done[piece] = {
                **{kind: counts[kind] for kind in ("passed", "failed", "skipped")},
                "failures": [name for name, outcome in outcomes if outcome == "failed"],
                "seconds": round(time.monotonic() - started),
            }
            xml.unlink()
            self._file(".pieces.json").write_text(json.dumps({"tree": tree, "pieces": done}, indent=1))
        result = Result(
            tree=tree,
            commit=_git("rev-parse", "--short", "HEAD"),
            airflow=_says(python, "from importlib.metadata import version; print(version('apache-airflow'))"),
            python=subprocess.check_output(
                [python, "-c", "import platform; print(platform.python_version())"], text=True
            ).strip(),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            **{
                kind: sum(piece[kind] for piece in done.values()) for kind in ("passed", "failed", "skipped", "seconds")
            },
            failures=[name for piece in done.values() for name in piece["failures"]],
        )
        self._file(".json").write_text(json.dumps(asdict(result), indent=1))
        return result

    def _pieces(self, tree: str) -> dict[str, Any]:
        """What each piece gave that was run on this tree before the command was stopped."""
        file = self._file(".pieces.json")
        kept = json.loads(file.read_text()) if file.exists() else {}
        return kept["pieces"] if kept.get("tree") == tree else {}

    def _installed(self) -> str:
        """The Python of its environment, which is made anew when what is pinned has changed."""
        folder = self._file("")
        stamp, python = folder / "installed", str(folder / "bin" / "python")
        pinned = (ROOT / "pyproject.toml").read_text() + file_of(self.airflow).read_text()
        if not stamp.exists() or stamp.read_text() != pinned:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([UV, "venv", "-q", "--python", str(self.interpreter), str(folder)], check=True)
            install = [
                UV,
                "pip",
                "install",
                "-q",
                "--python",
                python,
                "-c",
                str(file_of(self.airflow)),
                "-e",
                f"{ROOT}[dev]",
            ]
            subprocess.run(install, check=True)
            stamp.write_text(pinned)
        return python


def pieces() -> Iterator[tuple[str, list[str]]]:
    """The suite in pieces, as `make test` runs it: a name for each, and what pytest is told."""
    tests = ROOT / "tests"
    side_by_side = ["-n", "3", "--dist", "loadfile"]
    for folder in sorted(path for path in tests.iterdir() if any(path.rglob("test_*.py")) and path.name != APART):
        yield folder.name, [*([] if folder.name == ALONE else side_by_side), f"tests/{folder.name}"]
    yield "the rest", [*side_by_side, *sorted(f"tests/{path.name}" for path in tests.glob("test_*.py"))]


def _outcomes(xml: Path) -> Iterator[tuple[str, str]]:
    """Every test of a JUnit file, and whether it passed, failed or was skipped."""
    for case in ET.parse(xml).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        yield f"{case.get('classname')}::{case.get('name')}", outcome


def _says(python: str, code: str) -> str:
    """What a line of code prints there."""
    return subprocess.check_output([python, "-c", code], text=True).strip()


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()


def tree() -> str:
    """A digest of every file that git tracks, as it lies here; but not of the table, which each run changes."""
    digest = hashlib.sha256()
    for name in _git("ls-files").splitlines():
        path = ROOT / name
        if path != TABLE and path.is_file():
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cells() -> list[Cell]:
    """Every cell of the matrix, the newest Airflow first."""
    return [*(Cell(minor, python) for minor in reversed(MINORS) for python in PYTHONS), Cell(LOWEST, PYTHONS[0])]


def row(cell: Cell) -> str:
    """A cell's line of the table."""
    if reason := EXCLUDED.get((cell.airflow, cell.python)):
        return f"| {cell.airflow} | {cell.python} | {reason} | | | | |"
    result = cell.result()
    if result is None:
        missing = "not run" if cell.interpreter else f"not run: there is no python{cell.python} on this machine"
        return f"| {cell.airflow} | {cell.python} | {missing} | | | | |"
    name = f"lowest ({result.airflow})" if cell.airflow == LOWEST else result.airflow
    took = f"{result.seconds // 60}:{result.seconds % 60:02}"
    return (
        f"| {name} | {result.python} | {result.passed} | {result.failed} | {result.skipped} | {took} | "
        f"{result.commit}, {result.date} |"
    )


def table() -> str:
    """The whole table, from what the cells left behind."""
    head = ["| Airflow | Python | passed | failed | skipped | min:s | commit, date |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*head, *map(row, cells())])


def main() -> None:
    """Run the cells of the command line, or all that this machine has a Python for; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", metavar="AIRFLOW/PYTHON", help="which cells (default: all)")
    wanted = parser.parse_args().cells
    known = {str(cell): cell for cell in cells()}
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(known)}")
    FOLDER.mkdir(exist_ok=True)
    now = tree()
    failed = False
    for name in wanted or known:
        cell = known[name]
        before = cell.result()
        if (cell.airflow, cell.python) in EXCLUDED or cell.interpreter is None:
            print(row(cell), flush=True)
            continue
        result = before if before is not None and before.tree == now else cell.run(now)
        failed |= bool(result.failed)
        print(row(cell), *(f"\n    {failure}" for failure in result.failures), flush=True)
        text = TABLE.read_text()
        start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        TABLE.write_text(f"{text[:start]}\n{table()}\n{text[end:]}")
    print(f"\n{table()}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
