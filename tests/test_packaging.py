"""What is published: the wheel carries what it should and no more, and the pinned versions are what they say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ringg_provider import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = sorted((ROOT / "constraints").glob("airflow-*.txt"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = folder.glob("*.whl")
    return ZipFile(file)


def files_below(folder: str) -> set[str]:
    return {
        str(file.relative_to(ROOT / folder))
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_wheel_carries_the_whole_package_and_its_data(wheel: ZipFile) -> None:
    carried = {name.removeprefix("ringg_provider/") for name in wheel.namelist()}
    assert files_below("ringg_provider") <= carried
    assert "py.typed" in carried


def test_the_wheel_carries_the_examples_inside_the_package(wheel: ZipFile) -> None:
    prefix = "ringg_provider/example_dags/"
    carried = {name.removeprefix(prefix) for name in wheel.namelist() if name.startswith(prefix)}
    assert carried == files_below("example_dags")
    assert any(name.endswith(".py") for name in carried)


def test_the_wheel_carries_nothing_else(wheel: ZipFile) -> None:
    roots = {name.split("/")[0] for name in wheel.namelist()}
    assert roots == {"ringg_provider", f"ringg_provider-{__version__}.dist-info"}


def test_the_wheel_carries_the_license(wheel: ZipFile) -> None:
    (license_,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert b"Apache License" in wheel.read(license_)


def test_the_wheel_says_where_airflow_and_pytest_find_their_plugins(wheel: ZipFile) -> None:
    (file,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    told = ConfigParser()
    told.read_string(wheel.read(file).decode())
    assert dict(told["pytest11"]) == {"ringg": "ringg_provider.sandbox.pytest_plugin"}
    for group in told.sections():
        for place in told[group].values():
            assert find_spec(place.partition(":")[0]) is not None, place


def test_the_changelog_describes_this_version() -> None:
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_there_is_a_constraints_file_for_every_supported_airflow() -> None:
    assert [file.name for file in CONSTRAINTS] == [f"airflow-{minor}.txt" for minor in ("3.1", "3.2", "3.3", "3.4")]


@pytest.mark.parametrize("file", sorted((ROOT / "constraints").iterdir()), ids=lambda file: file.name)
def test_a_constraints_file_holds_pinned_versions_and_comments_only(file: Path) -> None:
    odd = [line for line in file.read_text().splitlines() if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[^\s;@/]+", line)]
    assert odd == []
    assert "//" not in file.read_text()


@pytest.mark.parametrize("file", CONSTRAINTS, ids=lambda file: file.name)
def test_a_constraints_file_pins_every_direct_dependency_within_its_range(file: Path) -> None:
    pinned = pins(file)
    assert pinned["apache-airflow"].startswith(file.stem.removeprefix("airflow-") + ".")
    declared = [
        *PROJECT["dependencies"],
        *(line for lines in PROJECT["optional-dependencies"].values() for line in lines),
    ]
    for requirement in map(Requirement, declared):
        name = canonicalize_name(requirement.name)
        if name != "ringg-provider":
            assert name in pinned, f"{name} is missing: make constraints"
            assert requirement.specifier.contains(pinned[name], prereleases=True), (
                f"{name} is too old: make constraints"
            )


def test_the_lowest_versions_that_are_tested_are_those_that_are_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    declared = map(Requirement, [*PROJECT["dependencies"], *(line for name in EXTRAS_OF_DEV for line in extras[name])])
    lowest = pins(ROOT / "constraints" / "lowest.txt")
    for requirement in declared:
        if requirement.name != "ringg-provider":
            bounds = [each.version for each in requirement.specifier if each.operator == ">="]
            assert bounds, f"{requirement.name} has no lower bound"
            tested = Version(lowest[canonicalize_name(requirement.name)])
            assert tested.release[: len(Version(bounds[0]).release)] == Version(bounds[0]).release, (
                f"{requirement.name}: {bounds[0]} is declared, {tested} is the lowest that can be installed"
            )


EXTRAS_OF_DEV = ("sandbox", "duckdb", "demo", "dev")


def test_every_supported_python_is_declared_and_in_the_table_of_what_was_run() -> None:
    declared = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if "Python :: 3." in name]
    assert declared == ["3.11", "3.12", "3.13", "3.14"]
    page = (ROOT / "docs" / "compatibility.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.count("|") == 8]
    ran = {(airflow.strip()[:3], ".".join(python.strip().split(".")[:2])) for airflow, python in rows}
    assert {(file.stem.removeprefix("airflow-"), python) for file in CONSTRAINTS for python in declared} <= ran


def pins(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): pinned for name, pinned in (line.split("==") for line in lines)}


def test_the_suite_runs_on_an_airflow_that_is_supported() -> None:
    major, minor, *_ = version("apache-airflow").split(".")
    assert (int(major), int(minor)) >= (3, 1)
