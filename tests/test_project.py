"""The project around the package: workflows, the registry's file, licences, releases."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.support.provided import offered, offered_operators
from tests.test_site import load_tool

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def release() -> ModuleType:
    return load_tool("release")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_pins_every_action_by_hash_and_asks_for_no_right_that_it_does_not_need(workflow: Path) -> None:
    text = workflow.read_text()
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    assert [name for name, _ in used if not re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40}", name)] == []
    assert [name for name, comment in used if not re.fullmatch(r" # v\d+\.\d+\.\d+", comment)] == []
    told = yaml.safe_load(text)
    assert told["permissions"] == {}
    for job in told["jobs"].values():
        assert job["timeout-minutes"]
        rights = job.get("permissions", {})
        written = {name for name, right in rights.items() if right == "write"}
        # What may write runs no code of the repository.
        assert not written or not any("run" in step for step in job["steps"])


def test_what_a_workflow_makes_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {name for file in WORKFLOWS for name in re.findall(r"\bmake ([a-z-]+)", file.read_text())}
    assert {"docs", "lint", "release", "test"} <= made <= targets


def test_an_audit_that_could_not_look_up_a_package_fails() -> None:
    said = subprocess.run(["make", "--dry-run", "audit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (audit,) = [line for line in said.splitlines() if "pip-audit --" in line]
    assert "--strict" in audit.split()


def test_every_supported_airflow_and_python_is_in_the_matrix() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]["part"]["strategy"]["matrix"]
    named = {file.stem.removeprefix("airflow-") for file in (ROOT / "constraints").glob("airflow-*.txt")}
    assert set(matrix["airflow"]) == named | {"lowest"}
    declared = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert matrix["python"] == declared


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("matrix")


def test_the_pieces_that_a_cell_of_the_matrix_is_run_in_are_the_suite(matrix: Any) -> None:
    told = {tuple(batch): matrix.arguments(batch) for batch in matrix.batches(matrix.pieces())}
    ran = [Path(word) for words in told.values() for word in words if word.startswith("tests/")]
    files = {file.relative_to(ROOT) for file in (ROOT / "tests").rglob("test_*.py")}
    missing = {file for file in files if not {file, *file.parents} & set(ran)}
    assert {file.parts[1] for file in missing} == {"warehouses"}
    assert len(ran) == len(set(ran))
    assert "-n" not in told["faults",], "they share one Airflow"


def test_a_cell_runs_again_what_changed_or_was_stopped(
    matrix: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tests = tmp_path / "tests"
    for name in ("one", "two"):
        (tests / name).mkdir(parents=True)
        for package in (tests, tests / name):
            (package / "__init__.py").touch()
    files = {name: tests / name / f"test_{name}.py" for name in ("one", "two")}

    def write(name: str, *lines: str) -> None:
        files[name].write_text("\n".join(lines))

    def ran() -> str:
        return (tmp_path / "ran").read_text()

    notes = f"open({str(tmp_path / 'ran')!r}, 'a').write"
    write("one", "def test_it():", f"    {notes}('1')")
    write("two", "def test_it()")
    (tests / "two" / "support.py").touch()
    (tests / "one" / "test_skipped.py").write_text("import pytest\npytest.skip('elsewhere', allow_module_level=True)")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for key, value in {"user.name": "nobody", "user.email": "nobody@example.com"}.items():
        subprocess.run(["git", "-C", tmp_path, "config", key, value], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "tests"], check=True)
    subprocess.run(["git", "-C", tmp_path, "commit", "-q", "-m", "as it was"], check=True)
    (tmp_path / ".matrix").mkdir()
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "FOLDER", tmp_path / ".matrix")
    monkeypatch.setattr(matrix, "pieces", lambda: ["one", "two"])
    monkeypatch.setattr(matrix, "AT_ONCE", 1)
    monkeypatch.setattr(
        matrix, "arguments", lambda batch: ["-p", "no:cacheprovider", *(f"tests/{each}" for each in batch)]
    )
    monkeypatch.setattr(matrix.Cell, "_installed", lambda _: sys.executable)
    cell = matrix.Cell(matrix.MINORS[-1], matrix.PYTHONS[0])
    with pytest.raises(SystemExit, match="two: pytest ended with 2"):
        cell.run()
    assert cell.result() is None
    write("two", "def test_it():", f"    {notes}('2')", "    assert not 'whole'")
    result = cell.run()
    assert (result.passed, result.failed, result.skipped) == (1, 1, 1)
    assert result.failures == ["tests.two.test_two::test_it"]
    assert ran() == "12", "what had ended is not run again"
    cell.run()
    assert ran() == "122", "what failed is"
    write("two", "def test_it():", f"    {notes}('3')")
    assert (cell.run().passed, ran()) == (2, "1223"), "one folder's tests have changed"
    cell.run()
    assert ran() == "1223", "nothing has changed"
    (tests / "two" / "support.py").write_text("# what another folder's tests may use\n")
    assert (cell.run().passed, ran()) == (2, "12233"), "and do not"
    write("one", "from tests.two import support", "def test_it():", f"    {notes}('1' if support else '')")
    assert (cell.run().passed, ran()) == (2, "122331")
    (tests / "two" / "support.py").write_text("# what another folder's tests do use\n")
    assert (cell.run().passed, ran()) == (2, "12233113")


def test_what_another_machine_ran_stays_in_the_table(
    matrix: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = {
        "3.4/3.12": "| 3.4.0 | 3.12.1 | 9000 | 0 | 36 | 40:05 | 1234567, 2026-11-27 |",
        "lowest/3.11": "| lowest (3.1.0) | 3.11.7 | 8000 | 1 | 40 | 39:10 | 1234567, 2026-11-26 |",
    }
    others = ["| 3.3.2 | the suite | ce3606d | 8,891 | 0 | 36 | 31:34 |", "| 3.1 | 3.12 | not run | | | | |"]
    monkeypatch.setattr(matrix, "FOLDER", tmp_path)
    monkeypatch.setattr(matrix, "TABLE", tmp_path / "table.md")
    matrix.TABLE.write_text("\n".join([*others, *ran.values()]))
    rows = {str(cell): matrix.row(cell) for cell in matrix.cells()}
    assert {name: line for name, line in rows.items() if line in ran.values()} == ran
    assert all("not run" in line or "excludes" in line for name, line in rows.items() if name not in ran)


def test_the_registry_is_told_of_classes_that_are_offered() -> None:
    told = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
    assert told["package-name"] == "ringg-provider"
    ours = {*offered_operators(), *offered("hooks")}
    places = [entry["module"] for kind in ("operators", "sensors", "transfers", "hooks") for entry in told[kind]]
    assert len(places) > 20
    for place in places:
        module, _, name = place.rpartition(".")
        assert getattr(importlib.import_module(module), name) in ours


def test_the_registrys_file_is_written_out_of_all_of_them() -> None:
    told = yaml.safe_load(load_tool("registry").text())
    places = {entry["module"] for kind in ("operators", "sensors", "transfers", "hooks") for entry in told[kind]}
    ours = {each.__name__ for each in (*offered_operators(), *offered("hooks"))}
    assert {place.rpartition(".")[2] for place in places} == ours


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ("MIT", "permissive"),
        ("Apache Software License", "permissive"),
        ("BSD-3-Clause", "permissive"),
        ("Mozilla Public License 2.0 (MPL 2.0)", "weak"),
        ("MIT AND LGPL-3.0-or-later", "weak"),
        ("Artistic-1.0-Perl OR GPL-2.0-or-later", "permissive"),
        ("GPL-3.0-only", "it may bind what is shipped beside it"),
        ("MIT AND GPL-3.0-only", "it may bind what is shipped beside it"),
        ("GNU Affero General Public License v3", "it may bind what is shipped beside it"),
        ("Business Source License", "its licence is none that is known here"),
        ("", "it names no licence"),
    ],
)
def test_a_licence_is_judged(told: str, verdict: str) -> None:
    assert load_tool("licenses").verdict(told) == verdict


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that is ready to be released, as far as `reasons` looks."""
    for name in ("pyproject.toml", "CHANGELOG.md", "ringg_provider/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    change(tmp_path / "pyproject.toml", 'repository = ""', 'repository = "https://repository.invalid/calling"')
    change(tmp_path / "CHANGELOG.md", "\n## 0.1.0", "\n## 0.1.0 - 2026-12-01")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=x", "-c", "user.email=x@x.invalid", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_a_tree_that_is_ready_is_released(release: ModuleType, tree: Path) -> None:
    assert list(release.reasons(tree, "")) == []
    assert list(release.reasons(tree, f"v{release.version(tree)}")) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("pyproject.toml", "https://repository.invalid/calling", "", "nobody knows where the repository is"),
        ("CHANGELOG.md", "## 0.1.0 - 2026-12-01", "## 0.1.0", "does not say when 0.1.0 was released"),
        ("CHANGELOG.md", "## 0.1.0 - 2026-12-01", "## 0.0.9", "has no section 0.1.0"),
        ("ringg_provider/__init__.py", '"0.1.0"', '"0.2.0"', "the tag is v0.1.0, the version 0.2.0"),
        ("CHANGELOG.md", "# Changelog", "# Changes", "not committed: CHANGELOG.md"),
    ],
)
def test_a_tree_that_is_not_ready_is_not(
    release: ModuleType, tree: Path, file: str, old: str, new: str, reason: str
) -> None:
    change(tree / file, old, new)
    assert any(reason in why for why in release.reasons(tree, "v0.1.0"))
