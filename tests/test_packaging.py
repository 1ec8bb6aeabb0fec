"""What is published: the wheel carries what it should and no more, and the pinned versions are what they say."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
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


@pytest.mark.slow
def test_two_builds_are_equal_byte_by_byte(tmp_path: Path) -> None:
    sums = []
    for number, mask in ((1, 0o022), (2, 0o077)):
        # Elsewhere, at another time, for another user: what a second machine has otherwise.
        tree = tmp_path / str(number) / "tree"
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, tracked.split("\0")):
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, tree / name)
                (tree / name).chmod((0o777 if os.access(ROOT / name, os.X_OK) else 0o666) & ~mask)
                os.utime(tree / name, (number * 1e8, number * 1e8))
        dist = tmp_path / str(number) / "dist"
        command = [sys.executable, "-m", "build", "-q", "--no-isolation", "--outdir", dist, tree]
        environment = {**os.environ, "TZ": f"Etc/GMT+{number}", "PYTHONHASHSEED": str(number)}
        subprocess.run(command, check=True, env=environment, umask=mask, capture_output=True)
        sums.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in dist.iterdir()})
    assert len(sums[0]) == 2
    assert sums[0] == sums[1]


def test_the_wheel_carries_its_bill_of_materials(wheel: ZipFile) -> None:
    (file,) = [name for name in wheel.namelist() if ".dist-info/sboms/" in name]
    bill = json.loads(wheel.read(file))
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    told = {component["name"]: component["scope"] for component in bill["components"]}
    required = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert {name for name, scope in told.items() if scope == "required"} == required
    assert {"fastapi", "apache-airflow-providers-snowflake"} <= set(told)
    assert not {"pytest", "hypothesis"} & set(told)


def test_the_source_distribution_carries_the_documentation_and_the_tests(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "-q", "--no-isolation", "--sdist", "--outdir", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (file,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        carried = {name.partition("/")[2] for name in archive.getnames()}
    assert {"docs/getting-started.md", "docs/how-do-i/index.md", "mkdocs.yml", "hatch_build.py"} <= carried
    assert {"tests/conftest.py", "example_dags/ringg_nightly_campaign.py", "SECURITY.md", "LICENSE"} <= carried
    assert not any(name.startswith((".venv", "site/", ".git/")) for name in carried)


def test_the_readme_of_a_known_repository_leads_into_it(tmp_path: Path) -> None:
    address = "https://repository.invalid/calling"
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert pyproject.count('repository = ""') <= 1
    for name in ("hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "pyproject.toml").write_text(re.sub(r'repository = ".*"', f'repository = "{address}"', pyproject))
    for folder in ("ringg_provider", "example_dags"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text('__version__ = "1.2.3"\n')
    command = [
        sys.executable,
        "-m",
        "build",
        "-q",
        "--no-isolation",
        "--wheel",
        "--outdir",
        tmp_path / "dist",
        tmp_path,
    ]
    subprocess.run(command, check=True, capture_output=True)
    (file,) = (tmp_path / "dist").glob("*.whl")
    metadata = ZipFile(file).read("ringg_provider-1.2.3.dist-info/METADATA").decode()
    links = [
        link
        for link in re.findall(r"\]\(([^)]+)\)", metadata)
        if not link.startswith("#") and not link.startswith("https://")
    ]
    assert links == []
    assert f"({address}/raw/main/docs/images/control-room-campaigns.png)" in metadata
    assert f"({address}/blob/main/docs/tables.md)" in metadata
    for name in ("Source", "Documentation", "Changelog", "Issues"):
        assert f"Project-URL: {name}, {address}" in metadata


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


EXTRAS_OF_DEV = ("sandbox", "callbacks", "duckdb", "demo", "dev")


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
