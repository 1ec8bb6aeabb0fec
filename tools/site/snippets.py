"""Code of the documentation, cut from files that the tests run; `python tools/site/snippets.py` puts it into the pages.

In a page of docs/ a comment names what the code block below it is cut from: `<!-- cut: FILE -->` the whole file,
`<!-- cut: FILE, NAME -->` what defines a function or class, assigns a variable, or makes the task of that name,
`<!-- cut: FILE, imports -->` its imports.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
_CUT = re.compile(r"<!-- cut: (?P<file>[^,\s]+)(?:, (?P<name>\w+))? -->\n```python\n(?P<code>.*?)```\n", re.DOTALL)


def pages() -> list[Path]:
    """Every page of the documentation that a person wrote."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def cut(file: Path, name: str | None) -> str:
    """A part of a Python file, see above; raises LookupError where there is none."""
    source = file.read_text()
    if name is None:
        return source.removeprefix("from __future__ import annotations\n").strip("\n") + "\n"
    tree = ast.parse(source)
    if name == "imports":
        found = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        wanted = [node for node in found if getattr(node, "module", "") != "__future__"]
        lines = source.splitlines()[wanted[0].lineno - 1 : wanted[-1].end_lineno]
        return "\n".join(lines) + "\n"
    for node in ast.walk(tree):
        if _defines(node, name):
            return lines_of(source, node)
    raise LookupError(f"{file.name} has no {name}")


def lines_of(source: str, node: ast.AST) -> str:
    """The whole lines of a node, moved to the left."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return dedent("\n".join(source.splitlines()[first - 1 : node.end_lineno])) + "\n"


def _defines(node: ast.AST, name: str) -> bool:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == name
        case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
            return True
        case ast.Assign() | ast.Expr():
            words = (word for part in ast.walk(node) if isinstance(part, ast.Call) for word in part.keywords)
            ids = (word.value for word in words if word.arg == "task_id")
            return any(isinstance(value, ast.Constant) and value.value == name for value in ids)
    return False


def renewed(page: str) -> str:
    """The text of a page with every cut as its file has it now."""

    def put(found: re.Match[str]) -> str:
        code = cut(ROOT / found["file"], found["name"])
        head = found[0].partition("```python\n")[0]
        return f"{head}```python\n{code}```\n"

    return _CUT.sub(put, page)


def main() -> int:
    """Write the pages whose code is not what its file has."""
    for page in pages():
        text = page.read_text()
        if (new := renewed(text)) != text:
            page.write_text(new)
            print(f"renewed: {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
