"""Write `constraints/`: the exact versions that the suite runs on, and a check that every extra fits in with them.

`airflow-X.Y.txt` holds the newest versions that an Airflow minor and this project allow together, `lowest.txt` the
lowest that `pyproject.toml` allows. Each is resolved over all extras at once, for the oldest Python and then for the
newest, which needs some packages more. Then every extra is installed alone beside each file, in a throwaway
environment, and asked by `uv pip check`. (MySQL's driver is built there, which takes a C compiler and Debian's
`libmariadb-dev`.)

Run `make constraints` after a new Airflow release or a changed dependency, then `make test-matrix`, and commit both.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
MINORS = ("3.1", "3.2", "3.3", "3.4")
UNRELEASED = {"3.4"}  # taken as their newest pre-release until they have a release
LOWEST = "lowest"
OLDEST_PYTHON, NEWEST_PYTHON = "3.11", "3.14"

# What a minor does not run with although its metadata allows it; each with the reason.
KNOWN_BAD: dict[str, list[str]] = {
    # Its execution API cannot be built with a newer FastAPI, which 3.3 therefore excludes; and `dag.test` lets go of
    # that API's lifespan at once, whereupon a newer svcs takes the registry away that every request needs.
    "3.2": ["fastapi<0.137", "svcs<26.2"],
    # Airflow 3.1.0 draws its log lines with a class that structlog renamed, signs its logins with a claim that a newer
    # PyJWT refuses, so that nobody could log in, and opens no file:// with a newer universal-pathlib.
    LOWEST: ["structlog<25.5", "pyjwt<2.11", "universal-pathlib<0.3"],
}

UV = str(Path(sys.executable).with_name("uv"))


def extras() -> list[str]:
    """The extras that `pyproject.toml` declares."""
    return sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def airflow(name: str) -> list[str]:
    """What to ask for: Airflow and the two parts of it that share its number, or nothing for the lowest versions."""
    if name == LOWEST:
        return []
    minor = int(name.removeprefix("3."))
    before = "a0" if name in UNRELEASED else ""
    return [
        f"apache-airflow>=3.{minor}.0{before},<3.{minor + 1}",
        f"apache-airflow-core>=3.{minor}.0{before},<3.{minor + 1}",
        f"apache-airflow-task-sdk>=1.{minor}.0{before},<1.{minor + 1}",
    ]


def compiled(python: str, wanted: list[str], requirements: list[str], pins: Path, *options: str) -> list[str]:
    """`name==version` lines for the project with some extras on one Python; what `pins` holds is preferred.

    Raises:
        SystemExit: there is no set of versions that fits together; says why.
    """
    every = [word for extra in wanted for word in ("--extra", extra)]
    how = ["-q", "--no-header", "--no-annotate", "--python-version", python, *options, "-o", str(pins)]
    done = subprocess.run(
        [UV, "pip", "compile", *how, *every, "pyproject.toml", "-"],
        cwd=ROOT,
        input="\n".join(requirements),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return [line for line in pins.read_text().splitlines() if not line.startswith(("ringg-provider", "#"))]


def resolve(name: str, *, upgrade: bool) -> list[str]:
    """The lines of one file; what it pins already stays where it still fits, unless everything is to be upgraded."""
    with tempfile.TemporaryDirectory(prefix="constraints-") as folder:
        pins = Path(folder, "pins.txt")
        if name == LOWEST:
            lines = compiled(OLDEST_PYTHON, ["dev"], KNOWN_BAD.get(name, []), pins, "--resolution", "lowest-direct")
        else:
            if file_of(name).exists() and not upgrade:
                pins.write_text(file_of(name).read_text())
            lines = compiled(OLDEST_PYTHON, extras(), [*airflow(name), *KNOWN_BAD.get(name, [])], pins)
            have = {line.partition("==")[0] for line in lines}
            newest = compiled(NEWEST_PYTHON, extras(), lines, pins)
            lines += [line for line in newest if line.partition("==")[0] not in have]
    if odd := [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;@/]+", line)]:
        raise SystemExit(f"{name}: not a plain name==version: {odd}")
    return sorted(lines)


def file_of(name: str) -> Path:
    """Where the versions of a minor, or the lowest ones, are written."""
    return ROOT / "constraints" / (f"{LOWEST}.txt" if name == LOWEST else f"airflow-{name}.txt")


def write(name: str, *, upgrade: bool) -> None:
    """Resolve one file and write it."""
    lines = resolve(name, upgrade=upgrade)
    what = "The lowest versions that pyproject.toml allows" if name == LOWEST else f"Airflow {name}"
    header = [
        f"# {what}: what ringg-provider is tested with, Python {OLDEST_PYTHON} to {NEWEST_PYTHON}.",
        "# Written by tools/constraints.py (make constraints); not edited by hand.",
    ]
    file_of(name).write_text("\n".join([*header, *lines, ""]))
    print(f"{file_of(name).relative_to(ROOT)}: {len(lines)} packages", flush=True)


def fits(extra: str, name: str, wheel: Path) -> bool:
    """Whether one extra can be installed beside one file, and `pip check` finds nothing wrong; what is, is printed."""
    with tempfile.TemporaryDirectory(prefix="constraints-check-") as folder:
        subprocess.run([UV, "venv", "-q", "--python", sys.executable, folder], check=True)
        here = ["--python", str(Path(folder) / "bin" / "python")]
        wanted = f"ringg-provider[{extra}] @ {wheel.as_uri()}"
        for step in (["install", "-q", *here, "-c", str(file_of(name)), wanted], ["check", *here]):
            done = subprocess.run([UV, "pip", *step], check=False, capture_output=True, text=True)
            if done.returncode:
                print(f"[{extra}] beside {file_of(name).name}:\n{done.stderr}", flush=True)
                return False
    return True


def check(names: list[str]) -> bool:
    """Print which extra fits in with which file; whether all do."""
    with tempfile.TemporaryDirectory(prefix="constraints-wheel-") as folder:
        subprocess.run([UV, "build", "-q", "--wheel", "--out-dir", folder, str(ROOT)], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        print(f"\n{'pip check':12}", *(f"{name:>8}" for name in names), flush=True)
        all_fit = True
        for extra in extras():
            found = [fits(extra, name, wheel) for name in names]
            all_fit &= all(found)
            print(f"{extra:12}", *(f"{'ok' if each else 'no':>8}" for each in found), flush=True)
    return all_fit


def main() -> None:
    """Write the files for the names on the command line, or all, and check the extras against them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = (*MINORS, LOWEST)
    parser.add_argument("names", nargs="*", default=known, help=f"which files (default: {' '.join(known)})")
    parser.add_argument("--upgrade", action="store_true", help="the newest of everything, not only what must change")
    parser.add_argument("--check-only", action="store_true", help="do not resolve again, only check the extras")
    args = parser.parse_args()
    for name in args.names:
        if name not in known:
            parser.error(f"{name} is not supported: choose from {', '.join(known)}")
        if not args.check_only:
            write(name, upgrade=args.upgrade)
    if not check([name for name in args.names if name != LOWEST]):
        sys.exit(1)


if __name__ == "__main__":
    main()
