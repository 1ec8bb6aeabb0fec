"""Which operators there are, as a DAG author meets them: those that the examples import, arranged by operators.toml."""

from __future__ import annotations

import ast
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from snippets import ROOT, lines_of

EXAMPLES = ROOT / "example_dags"


@cache
def operators() -> dict[str, dict[str, Any]]:
    """Name -> group, import, example and see; what operators.toml does not arrange comes last."""
    arranged: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "operators.toml").read_text())
    for file in sorted(EXAMPLES.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ringg_provider."):
                for name in (alias.name for alias in node.names if alias.name.endswith(("Operator", "Sensor"))):
                    found = {"group": "More", "import": node.module, "example": file.stem, "see": []}
                    arranged.setdefault(name, found)
    return arranged


def example_of(name: str) -> str:
    """The statement of its example that makes a task of an operator; raises LookupError where there is none."""
    source = (EXAMPLES / f"{operators()[name]['example']}.py").read_text()
    statements = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign | ast.Expr | ast.Return)]
    using = [node for node in statements if any(_makes(part, name) for part in ast.walk(node))]
    if not using:
        raise LookupError(f"{operators()[name]['example']} has no task of {name}")
    return lines_of(source, using[-1])


def _makes(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and any(
        isinstance(part, ast.Name) and part.id == name for part in ast.walk(node.func)
    )
