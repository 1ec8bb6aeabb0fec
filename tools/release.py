"""All of a release but the upload: `make release`. Checks the tree, builds it twice, and compares the two.

What it leaves in dist/ is what the release's workflow attests and publishes.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--tag", default="", help="the tag that is released, v1.2.3; it must be this version's")
    options = parser.parse_args()
    if wrong := list(reasons(ROOT, options.tag)):
        print("This tree is not to be released:", *(f"- {why}" for why in wrong), sep="\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="ringg-release-") as folder:
        once, again = build(ROOT, Path(folder, "once")), build(ROOT, Path(folder, "again"))
        if sums(once) != sums(again):
            print("Two builds differ:", sums(once), sums(again), sep="\n")
            return 1
        dist = ROOT / "dist"
        dist.mkdir(exist_ok=True)
        for old in dist.iterdir():
            old.unlink()
        for file in once.iterdir():
            file.replace(dist / file.name)
    for name, digest in sums(dist).items():
        print(f"{digest}  {name}")
    print(f"Built twice, and equal. To publish it: git tag v{version(ROOT)} && git push origin v{version(ROOT)}")
    return 0


def reasons(root: Path, tag: str) -> Iterator[str]:
    """Why a tree is not to be released."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text())
    if not pyproject["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]:
        yield "nobody knows where the repository is: say it in pyproject.toml, [tool.hatch.metadata.hooks.custom]"
    number = version(root)
    if tag and tag != f"v{number}":
        yield f"the tag is {tag}, the version {number}"
    head = re.search(rf"^## {re.escape(number)}\b(.*)$", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    if head is None:
        yield f"CHANGELOG.md has no section {number}"
    elif not re.search(r"\d{4}-\d{2}-\d{2}", head[1]):
        yield f"CHANGELOG.md does not say when {number} was released: ## {number} - YYYY-MM-DD"
    if (root / "tools").is_dir():
        sys.path.insert(0, str(root / "tools"))
        from registry import FILE, text

        if FILE.read_text() != text():
            yield "the registry's file is not up to date: .venv/bin/python tools/registry.py"
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True)
    if changed.stdout:
        yield "files are changed or not committed: " + ", ".join(line[3:] for line in changed.stdout.splitlines()[:5])


def version(root: Path) -> str:
    """The version that the package has."""
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "ringg_provider" / "__init__.py").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def build(root: Path, folder: Path) -> Path:
    """Build the wheel and the source distribution into a folder."""
    command = [sys.executable, "-m", "build", "-q", "--no-isolation", "--outdir", str(folder), str(root)]
    subprocess.run(command, check=True)
    return folder


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


if __name__ == "__main__":
    sys.exit(main())
