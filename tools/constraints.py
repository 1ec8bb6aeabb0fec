"""Write `constraints/airflow-X.Y.txt`: the exact versions that the suite runs on with each Airflow minor.

pip's own resolver chooses the newest versions that Airflow and this project allow together, in a throwaway
environment that holds every extra; what it chose is written down. (MySQL's driver is built there, which takes a C
compiler and Debian's `libmariadb-dev`.) Run `make constraints` after a new Airflow release or a changed
dependency, then `make test-matrix`, and commit the result.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MINORS = ("3.1", "3.2", "3.3")

# What a minor does not run with although its metadata allows it; each with the reason.
KNOWN_BAD: dict[str, list[str]] = {
    "3.1": [],
    # Its execution API cannot be built with a newer FastAPI, which 3.3 therefore excludes; and `dag.test` lets go of
    # that API's lifespan at once, whereupon a newer svcs takes the registry away that every request needs.
    "3.2": ["fastapi<0.137", "svcs<26.2"],
    "3.3": [],
}


def resolve(minor: str) -> list[str]:
    """Install the project with one Airflow minor into an empty environment and return `name==version` lines.

    Raises:
        subprocess.CalledProcessError: pip found no set of versions, or the set contradicts itself.
    """
    with tempfile.TemporaryDirectory(prefix=f"constraints-{minor}-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        wanted = [f"{ROOT}[bench,mysql,warehouses]", f"apache-airflow=={minor}.*", *KNOWN_BAD[minor]]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        subprocess.run([python, "-m", "pip", "check"], check=True, stdout=subprocess.DEVNULL)
        frozen = subprocess.run(
            [python, "-m", "pip", "freeze", "--exclude", "ringg-provider"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    lines = frozen.splitlines()
    if odd := [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==\S+", line)]:
        raise SystemExit(f"{minor}: not a plain name==version: {odd}")
    return sorted(lines, key=str.lower)


def main() -> None:
    """Write the files for the minors named on the command line, or for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minors", nargs="*", default=MINORS, help=f"which minors (default: {' '.join(MINORS)})")
    for minor in parser.parse_args().minors:
        if minor not in MINORS:
            parser.error(f"{minor} is not supported: choose from {', '.join(MINORS)}")
        lines = resolve(minor)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        header = [
            f"# What ringg-provider is tested with on Airflow {minor}, Python {python}.",
            "# Written by tools/constraints.py (make constraints); not edited by hand.",
        ]
        target = ROOT / "constraints" / f"airflow-{minor}.txt"
        target.write_text("\n".join([*header, *lines, ""]))
        print(f"{target.relative_to(ROOT)}: {len(lines)} packages")


if __name__ == "__main__":
    main()
