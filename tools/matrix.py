"""Run the suite on every supported Airflow and Python, and write the table in `docs/compatibility.md`.

Each cell of the matrix has an environment of its own below `.matrix/`, made from its file in `constraints/`, and
leaves a log and a result there. A cell is run a few folders at a time, and a folder that passed on these very files is
not run again, so that a matrix of some hours can be stopped at any time and taken up; a change in a folder's tests, or
in a helper or a page that they name, runs that folder again. What the table says of a cell stands until it is run
again, so that machines can share the work. A Python is found on the PATH as `python3.12` and the like, or named by
`PYTHONS`.

    make test-matrix
    make test-matrix CELLS="3.4/3.11 3.1/3.13"
    make test-matrix PYTHONS="/opt/python3.14/bin/python3.14"
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from more_itertools import chunked, map_reduce

from constraints import LOWEST, MINORS, ROOT, UV, file_of

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXCLUDED = {("3.1", "3.14"): "Airflow 3.1 excludes Python 3.14"}
FOLDER = ROOT / ".matrix"
TABLE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- the table of make test-matrix -->", "<!-- end of the table -->"
APART = "warehouses"  # has an environment of its own, and runs on one Airflow
ALONE = "faults"  # its tests share one Airflow, and run by themselves
AT_ONCE = 6  # folders that one pytest runs
REST = "the rest"  # the tests beside the folders: some of them look at every file

RAN = {0, 1}  # what pytest ends with when tests ran, whether or not all passed


@dataclass(frozen=True)
class Result:
    """What one cell gave.

    :param commit: the one that its last folder ran on, or on changes of it.
    :param airflow: Airflow's version.
    :param python: Python's version.
    :param failures: which tests failed.
    :param seconds: how long it took.
    :param date: when it ended.
    """

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

    def run(self) -> Result:
        """Install what is pinned, run what did not pass on the files as they are, and keep what it gave."""
        log, xml = self._file(".log"), self._file(".xml")
        environment = os.environ | {
            "EXPECTED_AIRFLOW": MINORS[0] if self.airflow == LOWEST else self.airflow,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        kept = self._kept()
        done = {piece: kept.get(piece, {}) for piece in pieces()}
        digests = digests_of(list(done))
        missing = [piece for piece, last in done.items() if last.get("files") != digests[piece] or last["failed"]]
        before = self.result()
        if before is not None and not missing:
            return before
        python = self._installed()
        if len(missing) == len(done):
            log.unlink(missing_ok=True)
        for batch in batches(missing):
            started = time.monotonic()
            xml.unlink(missing_ok=True)
            command = [python, "-m", "pytest", "-q", f"--junit-xml={xml}", *arguments(batch)]
            with log.open("a") as output:
                ended = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False)
            if ended.returncode not in RAN:
                raise SystemExit(f"{self}, {', '.join(batch)}: pytest ended with {ended.returncode}; see {log}")
            took = time.monotonic() - started
            done |= {
                piece: {"files": digests[piece], **told} for piece, told in account(batch, _ran(xml), took).items()
            }
            xml.unlink()
            self._file(".pieces.json").write_text(json.dumps(done, indent=1))
        result = Result(
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

    def _kept(self) -> dict[str, Any]:
        """What each piece gave when it was last run, and on which files."""
        file = self._file(".pieces.json")
        return json.loads(file.read_text()) if file.exists() else {}

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
                "--compile-bytecode",  # or each process of an Airflow does it again
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


def pieces() -> list[str]:
    """The suite in pieces: its folders, and what lies beside them."""
    tests = ROOT / "tests"
    return [
        *sorted(path.name for path in tests.iterdir() if any(path.rglob("test_*.py")) and path.name != APART),
        REST,
    ]


def batches(missing: list[str]) -> Iterator[list[str]]:
    """Pieces that one pytest runs: a start of it takes as long as a small folder."""
    yield from chunked([piece for piece in missing if piece != ALONE], AT_ONCE)
    if ALONE in missing:
        yield [ALONE]


def arguments(batch: list[str]) -> list[str]:
    """What pytest is told, so that it runs them as `make test` does."""
    beside = sorted(f"tests/{path.name}" for path in (ROOT / "tests").glob("test_*.py"))
    paths = [path for piece in batch for path in (beside if piece == REST else [f"tests/{piece}"])]
    return paths if ALONE in batch else ["-n", "4", "--dist", "loadfile", *paths]


@dataclass(frozen=True)
class Ran:
    """One test, as a JUnit file tells of it.

    :param name: its module, class and name.
    :param piece: which piece of the suite it belongs to.
    :param outcome: "passed", "failed" or "skipped".
    """

    name: str
    piece: str
    outcome: str
    seconds: float


def _ran(xml: Path) -> Iterator[Ran]:
    for case in ET.parse(xml).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        place = case.get("classname") or case.get("name", "")  # a file that is skipped whole has a name alone
        _, folder, *_ = place.split(".")
        piece = REST if folder.startswith("test_") else folder
        yield Ran(f"{place}::{case.get('name')}", piece, outcome, float(case.get("time", 0)))


def account(batch: list[str], tests: Iterable[Ran], took: float) -> dict[str, dict[str, Any]]:
    """What each piece of a batch gave; the time that the batch took is shared out by that of their tests."""
    by_piece = map_reduce(tests, lambda test: test.piece)
    seconds = {piece: sum(test.seconds for test in by_piece.get(piece, ())) for piece in batch}
    told = {}
    for piece in batch:
        own = by_piece.get(piece, [])
        counts = Counter(test.outcome for test in own)
        told[piece] = {
            **{kind: counts[kind] for kind in ("passed", "failed", "skipped")},
            "failures": [test.name for test in own if test.outcome == "failed"],
            "seconds": round(took * seconds[piece] / (sum(seconds.values()) or 1)),
        }
    return told


def _says(python: str, code: str) -> str:
    """What a line of code prints there."""
    return subprocess.check_output([python, "-c", code], text=True).strip()


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()


def digests_of(pieces: list[str]) -> dict[str, str]:
    """For each piece a digest of what it depends on, as it lies here."""
    tracked = [Path(name) for name in _git("ls-files").splitlines() if (ROOT / name).is_file() and ROOT / name != TABLE]
    contents = {path: (ROOT / path).read_bytes() for path in tracked}
    files = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    words = {path: words_of(content) if path.suffix == ".py" else set() for path, content in contents.items()}

    def digest(piece: str) -> str:
        depends_on = files if piece == REST else dependencies(piece, words)
        own = "".join(f"{path} {content}\n" for path, content in files.items() if path in depends_on)
        return hashlib.sha256(own.encode()).hexdigest()[:16]

    return {piece: digest(piece) for piece in pieces}


def words_of(content: bytes) -> set[bytes]:
    """The names of modules and files in a text, among all its other words."""
    from_packages = re.findall(rb"from (tests[\w.]*) import (.+)", content)
    modules = {package + b"." + module for package, names in from_packages for module in re.findall(rb"\w+", names)}
    return modules | {word.strip(b".") for word in re.findall(rb"[\w.-]+", content)}


def dependencies(piece: str, words: dict[Path, set[bytes]]) -> set[Path]:
    """Which files a folder's tests depend on: their own, the product, and what they name of the rest.

    :param words: of each file, for those of Python.
    """
    own = {path for path in words if path.parts[:2] == ("tests", piece)}
    names = {path: name_of(path) for path in words if path not in own}
    found = own | {path for path, name in names.items() if name is None}
    reading = {path for path in found if path.parts[0] == "tests"}
    while reading:
        said = set[bytes]().union(*(words[path] for path in reading))
        reading = {path for path, name in names.items() if name in said} - found
        found |= reading
    return found


def name_of(path: Path) -> bytes | None:
    """By which word a test names a file that it depends on; None for what all depend on."""
    match path.parts:
        case ("tests", "conftest.py" | "__init__.py"):
            return None
        case ("tests", *_) if path.suffix == ".py":
            return ".".join(path.with_suffix("").parts).removesuffix(".__init__").encode()
        case ("tools" | "benchmarks" as folder, *_):
            return folder.encode()
    aside = path.parts[0] in {"tests", "docs", ".ci", ".github"} or path.suffix == ".md"
    return path.name.encode() if aside else None


def cells() -> list[Cell]:
    """Every cell of the matrix, the newest Airflow first."""
    return [*(Cell(minor, python) for minor in reversed(MINORS) for python in PYTHONS), Cell(LOWEST, PYTHONS[0])]


def row(cell: Cell) -> str:
    """A cell's line of the table."""
    if reason := EXCLUDED.get((cell.airflow, cell.python)):
        return f"| {cell.airflow} | {cell.python} | {reason} | | | | |"
    result = cell.result()
    if result is None:
        if told := told_before(cell):
            return told
        missing = "not run" if cell.interpreter else f"not run: there is no python{cell.python} on this machine"
        return f"| {cell.airflow} | {cell.python} | {missing} | | | | |"
    name = f"lowest ({result.airflow})" if cell.airflow == LOWEST else result.airflow
    took = f"{result.seconds // 60}:{result.seconds % 60:02}"
    return (
        f"| {name} | {result.python} | {result.passed} | {result.failed} | {result.skipped} | {took} | "
        f"{result.commit}, {result.date} |"
    )


def told_before(cell: Cell) -> str | None:
    """What the table says that a cell gave; None when it was never run."""
    for line in TABLE.read_text().splitlines():
        airflow, python, passed = ([part.strip() for part in line.split("|")] + [""] * 4)[1:4]
        if airflow.startswith(cell.airflow) and python.startswith(cell.python) and passed.isdecimal():
            return line
    return None


def table() -> str:
    """The whole table, from what the cells left behind, here or elsewhere."""
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
    failed = False
    for name in wanted or known:
        cell = known[name]
        if (cell.airflow, cell.python) in EXCLUDED or cell.interpreter is None:
            print(row(cell), flush=True)
            continue
        result = cell.run()
        failed |= bool(result.failed)
        print(row(cell), *(f"\n    {failure}" for failure in result.failures), flush=True)
        text = TABLE.read_text()
        start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        TABLE.write_text(f"{text[:start]}\n{table()}\n{text[end:]}")
    print(f"\n{table()}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
