"""The site of the documentation: what it shows is cut from files that are run, and its check finds what is wrong."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from demo.server import free_port
from tests.support.provided import NOT_HERE, offered_operators

ROOT = Path(__file__).parents[1]


def load_tool(name: str) -> ModuleType:
    """A module of tools/, which is no package."""
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


snippets, check, pages_of = load_tool("site/snippets"), load_tool("site/check"), load_tool("site/operators")
OPERATORS = pages_of.operators()
PAGES = snippets.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_has_cut_is_what_the_file_has_now(page: Path) -> None:
    assert snippets.renewed(page.read_text()) == page.read_text(), "python tools/site/snippets.py"


def test_cuts_are_made_of_files_that_the_tests_run() -> None:
    named = {found for page in PAGES for found in re.findall(r"<!-- cut: ([^,\s]+)", page.read_text())}
    assert len(named) > 4
    assert {file.split("/")[0] for file in named} == {"example_dags", "tests"}


def test_a_cut_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError):
        snippets.cut(ROOT / "example_dags" / "ringg_webhook.py", "no_such_task")


def test_every_operator_has_a_page_whose_example_uses_it() -> None:
    assert set(OPERATORS) == {operator.__name__ for operator in offered_operators()}
    for name, data in OPERATORS.items():
        assert inspect.isclass(getattr(importlib.import_module(data["import"]), name))
        assert re.search(rf"\b{name}(\.partial)?\(", pages_of.example_of(name))
        assert all((ROOT / "docs" / page).is_file() for page in data["see"])


def _blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            yield str(page.relative_to(ROOT)), code


@pytest.mark.parametrize(("page", "code"), [pytest.param(*block, id=block[0]) for block in _blocks()])
def test_code_of_a_page_names_only_what_there_is(page: str, code: str) -> None:
    # A keyword argument alone, or an ellipsis among keyword arguments, stands for a part of a call.
    text = re.sub(r"^( *)\.\.\.,?$", "", code, flags=re.MULTILINE)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        tree = ast.parse(f"part({textwrap.dedent(text)})")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("ringg_provider")
            and node.module not in NOT_HERE
        ):
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == [], page
        if isinstance(node, ast.Call) and (name := _operator(node.func)) in OPERATORS:
            operator = getattr(importlib.import_module(OPERATORS[name]["import"]), name)
            known = {word for kind in operator.__mro__ for word in _parameters(kind)}
            assert {word.arg for word in node.keywords if word.arg} <= known, page


def _operator(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=of, attr="partial" | "expand") | ast.Call(func=of):
            return _operator(of)
    return ""


def _parameters(kind: type) -> set[str]:
    return set(inspect.signature(vars(kind).get("__init__", object)).parameters)


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ('<script src="https://elsewhere.invalid/a.js"></script>', "loads https://elsewhere.invalid/a.js"),
        ('<link rel="stylesheet" href="//elsewhere.invalid/a.css">', "loads //elsewhere.invalid/a.css"),
        ('<img src="gone.png">', "leads to gone.png, which is not there"),
        ('<a href="gone.html">x</a>', "leads to gone.html, which is not there"),
        ('<a href="../outside.html">x</a>', "leads to ../outside.html, which is not there"),
        ('<a href="other.html#nowhere">x</a>', "leads to other.html#nowhere, and the page has no such place"),
    ],
)
def test_the_check_of_the_site_finds(page: str, fault: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "outside.html").touch()
    (site / "other.html").write_text('<h1 id="here">x</h1>')
    (site / "index.html").write_text('<a href="other.html#here">x</a><a href="https://elsewhere.invalid/">x</a>')
    assert check.faults(site) == []
    (site / "page.html").write_text(page)
    assert check.faults(site) == [f"page.html: {fault}"]


@pytest.mark.slow
def test_getting_started_leads_from_an_empty_folder_to_calls(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text()
    people, dag = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    install, *steps = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    assert "pip install" in install
    (tmp_path / "dags").mkdir()
    (tmp_path / "people.py").write_text(people)
    (tmp_path / "dags" / "renewals.py").write_text(dag)
    port = free_port()
    script = "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p)' EXIT", *steps]).replace("8090", str(port))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    contacts, calls, launches = done.stdout.splitlines()[-3:]
    assert contacts == "('1', 'listed') ('2', 'listed') ('3', 'suppressed')"
    assert re.findall(r"\+\d+", calls) == ["+919845000001", "+919845000002"]
    assert "'started', 2)" in launches
