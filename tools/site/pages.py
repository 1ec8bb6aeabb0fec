"""What MkDocs asks while it builds the site: pages that stand in no file, and links from what is named to where it is.

Made here: the home page out of README.md, a page for every operator (operators.toml, its docstrings, a cut from an
example), one for every example, the API, and the files of the repository's root. In all pages the first mention of an
operator, an error or a function of the API in a section becomes a link.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from docstrings import readable
from operators import EXAMPLES, example_of, operators
from snippets import ROOT

OPERATORS = operators()
#: Files of the repository that are pages of the site, too.
AT_ROOT = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "LICENSE": "license.md",
}
#: What a DAG author imports: a page of the API each, and what of it the page shows.
API = {
    "exceptions": "Every error",
    "task_groups.ringg": "A campaign in one call: Ringg",
    "task_groups.smartalex": "A campaign in one call: SmartAlex",
    "warehouse": "Tables and the history guard",
    "launch.rollout": "Brakes",
    "launch.power": "How large a first wave has to be",
    "launch.budget": "Budgets",
    "deadlines": "Deadlines",
    "hooks.ringg": "Hooks: Ringg",
    "hooks.smartalex": "Hooks: SmartAlex",
    "ringg.client": "Client: Ringg",
    "smartalex.client": "Client: SmartAlex",
    "ringg.requests": "Requests: Ringg",
    "smartalex.requests": "Requests: SmartAlex",
    "hours.rules": "Calling-hours rules",
    "hours.schedule": "Times",
    "triggers.ringg": "Triggers: Ringg",
    "triggers.smartalex": "Triggers: SmartAlex",
    "triggers.inbox": "Triggers: inbox",
    "inbox.receiver": "Receiver of webhooks",
    "links.ringg": "Links",
    "examples": "For examples",
    "sandbox.server": "Sandbox: running it",
    "sandbox.settings": "Sandbox: settings",
    "sandbox.pytest_plugin": "Sandbox: pytest plugin",
}


@cache
def package() -> griffe.Module:
    """The package's code, read and not imported."""
    loaded = griffe.load("ringg_provider", search_paths=[ROOT], docstring_parser="auto", resolve_aliases=True)
    assert isinstance(loaded, griffe.Module)
    return loaded


#: Which pages the search shows first: answers before reference, and what is for this project's authors last; 0 is
#: never. What to do about an error is in the runbook, which names them all.
_BOOST = (
    ("how-do-i/index", 0.3),  # its pages answer better
    ("how-do-i/", 2),
    ("runbook", 2),
    ("one-call", 2),
    ("rollouts", 1.5),
    ("at-most-once", 2),
    ("getting-started", 1.5),
    ("operators/", 0.8),
    ("examples/", 0.5),
    ("api/exceptions", 0),
    ("api/", 0.3),
    ("changelog", 0.2),
    ("architecture", 0.2),
    ("contributing", 0.2),
)

# What MkDocs calls


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the sections that are made here into the navigation, and take the repository's address from its one place."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    repository = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    if repository:
        config.repo_url = repository
    named = set(re.findall(r"[\w-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    docs = Path(config.docs_dir)
    sections: dict[str, list[Any]] = {
        "<others>": sorted(page.name for page in docs.glob("*.md") if page.name not in named),
        "<how-do-i>": ["how-do-i/index.md", *_in_order(docs / "how-do-i")],
        "<examples>": ["examples/index.md", *(f"examples/{name}.md" for name in _examples())],
        "<operators>": ["operators/index.md"],
        "<api>": ["api/index.md", *({title: f"api/{module}.md"} for module, title in _api().items())],
    }
    for group in dict.fromkeys(data["group"] for data in OPERATORS.values()):
        inside = [f"operators/{name}.md" for name, data in OPERATORS.items() if data["group"] == group]
        sections["<operators>"].append({group: inside})
    config.nav = _with_sections(config.nav, sections)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand in no file."""
    made = dict(_made())
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Lead links out of docs/ to the page made of their target, link what is named, and weigh it for the search."""
    here = page.file.src_uri
    boost = next((boost for start, boost in _BOOST if here.startswith(start)), 1)
    page.meta.setdefault("search", {"boost": boost} if boost else {"exclude": True})
    text = _outside_links(markdown, here, config.repo_url)
    return text if here.startswith(("api/", "license", "code-of-conduct")) else _linked(text, here)


# The pages


def _made() -> Iterator[tuple[str, str]]:
    for source, path in AT_ROOT.items():
        text = (ROOT / source).read_text()
        yield path, f"# Licence\n\n```text\n{text}```\n" if source == "LICENSE" else text
    yield "operators/index.md", _operators_index()
    for name in OPERATORS:
        yield f"operators/{name}.md", _operator_page(name)
    yield "examples/index.md", _examples_index()
    for name in _examples():
        yield f"examples/{name}.md", _example_page(name)
    yield "api/index.md", _api_index()
    for module in _api():
        yield f"api/{module}.md", f"# `ringg_provider.{module}`\n\n::: ringg_provider.{module}\n{_API_OPTIONS}"


_API_OPTIONS = """\
    options:
      show_root_heading: false
      show_root_toc_entry: false
"""


def _operators_index() -> str:
    lines = ["# Operators", "", "Everything that makes a task: one page each, with its parameters and an example.", ""]
    group = ""
    for name, data in OPERATORS.items():
        if data["group"] != group:
            group = data["group"]
            lines += ["", f"## {group}", "", "| | |", "|---|---|"]
        lines.append(f"| [`{name}`]({name}.md) | {_first_sentence(_class(name))} |")
    return "\n".join(lines) + "\n"


def _operator_page(name: str) -> str:
    data, found = OPERATORS[name], _class(name)
    see = ", ".join(f"[{_title(page)}](../{page})" for page in data["see"])
    parts = [
        f"# {name}",
        _text(found),
        f"```python\nfrom {data['import']} import {name}\n```",
        f"Read next: {see}." if see else "",
        "## Example",
        f"From the example [{data['example']}](../examples/{data['example']}.md):",
        f"```python\n{example_of(name)}```",
        "## Parameters",
        _parameters(found) or "It takes those of its bases, below.",
    ]
    for base in _bases(found):
        if listed := _parameters(base):
            parts += [f"### From `{base.name}`", _notes(base), listed]
    parts.append("All parameters of Airflow's `BaseOperator` are taken too (`retries`, `pool`, `outlets`, ...).")
    fields = [field for field in _template_fields(found) if field]
    if fields:
        parts.append("Templates are rendered in " + ", ".join(f"`{field}`" for field in fields) + ".")
    return "\n\n".join(part for part in parts if part) + "\n"


def _class(name: str) -> griffe.Class:
    found = package()[OPERATORS[name]["import"].removeprefix("ringg_provider.")][name]
    return found.final_target if isinstance(found, griffe.Alias) else found


def _bases(found: griffe.Class) -> list[griffe.Class]:
    """Its bases of this package, nearest first."""
    return [base for base in found.mro() if base.module.package.name == "ringg_provider"]


def _sections(found: griffe.Class) -> list[griffe.DocstringSection]:
    if found.docstring is None:
        return []
    docstring = griffe.Docstring(readable(found.docstring.value), parent=found)
    return docstring.parse("sphinx", warnings=False)


def _text(found: griffe.Class) -> str:
    texts = [section.value for section in _sections(found) if section.kind is griffe.DocstringSectionKind.text]
    return "\n\n".join(texts)


def _notes(base: griffe.Class) -> str:
    """What a base says after its first paragraph, which is of itself and not of the operator."""
    return _text(base).partition("\n\n")[2].strip()


def _first_sentence(found: griffe.Class) -> str:
    return " ".join(_text(found).split("\n\n")[0].split())


def _parameters(found: griffe.Class) -> str:
    """The parameters that a class documents, as a list of definitions."""
    known = {each.name: each for each in found.parameters} if "__init__" in found.members else {}
    lines = []
    for section in _sections(found):
        if section.kind is griffe.DocstringSectionKind.parameters:
            for each in section.value:
                own = known.get(each.name)
                lines.append(f"`{each.name}`{_signature(own)}{{ #{each.name} }}")
                lines.append(":   " + "\n    ".join(each.description.splitlines()) + "\n")
    return "\n".join(lines)


def _signature(parameter: griffe.Parameter | None) -> str:
    if parameter is None:
        return ""
    kind = f" <small>`{parameter.annotation}`</small>" if parameter.annotation is not None else ""
    return f"{kind} " if parameter.default is not None else f"{kind} **required** "


def _template_fields(found: griffe.Class) -> list[str]:
    for each in (found, *_bases(found)):
        attribute = each.members.get("template_fields")
        if attribute is not None and attribute.is_attribute:
            shared = re.findall(r"(\w+)\.(\w*template_fields)", str(attribute.value))
            own = re.findall(r"'(\w+)'", str(attribute.value))
            for owner, name in shared:
                of = next((base for base in _bases(found) if base.name == owner), None)
                if of is not None and name in of.members:
                    own += re.findall(r"'(\w+)'", str(of.members[name].value))
            return own
    return []


@cache
def _examples() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.py"))


def _examples_index() -> str:
    lines = [
        "# Examples",
        "",
        "DAGs that are whole, and run by the tests. Airflow loads them out of the package, paused; each refuses to run",
        "against anything but the [sandbox](../sandbox.md#the-example-dags-and-a-real-platform) on the same machine.",
        "",
        "| | |",
        "|---|---|",
    ]
    for name in _examples():
        text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text())) or ""
        lines.append(f"| [`{name}`]({name}.md) | {text.splitlines()[0]} |")
    return "\n".join(lines) + "\n"


def _example_page(name: str) -> str:
    source = (EXAMPLES / f"{name}.py").read_text()
    text = ast.get_docstring(ast.parse(source)) or ""
    code = source.split('"""\n', 2)[-1].lstrip("\n")
    return f"# {name}\n\n{text.replace('``', '`')}\n\n```python\n{code}```\n"


def _api() -> dict[str, str]:
    return {module: title for module, title in API.items() if (ROOT / "ringg_provider" / _file(module)).exists()}


def _file(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _api_index() -> str:
    lines = [
        "# API reference",
        "",
        "What a DAG file or a notebook imports. [Operators, sensors and transfers](../operators/index.md) have pages",
        "of their own. Modules that are not here belong to the package, and change without notice.",
        "",
        "| | |",
        "|---|---|",
    ]
    for module in _api():
        docstring = package()[module].docstring
        first = readable(docstring.value).splitlines()[0] if docstring else ""
        lines.append(f"| [`{module}`]({module}.md) | {first} |")
    return "\n".join(lines) + "\n"


def _in_order(folder: Path) -> list[str]:
    """The pages that an index lists, in its order; those that it forgets come last."""
    index = folder / "index.md"
    listed = re.findall(r"\]\(([\w-]+\.md)\)", index.read_text())
    there = sorted(page.name for page in folder.glob("*.md") if page != index)
    return [f"{folder.name}/{name}" for name in dict.fromkeys([*listed, *there])]


def _title(page: str) -> str:
    text = (ROOT / "docs" / page).read_text()
    return text.splitlines()[0].removeprefix("# ")


def _with_sections(nav: Any, sections: dict[str, list[Any]]) -> Any:
    if isinstance(nav, dict):
        return {
            title: sections[below] if isinstance(below, str) and below in sections else _with_sections(below, sections)
            for title, below in nav.items()
        }
    if isinstance(nav, list):
        spread = (sections[each] if isinstance(each, str) and each in sections else [each] for each in nav)
        return [_with_sections(each, sections) for group in spread for each in group]
    return nav


# The links


_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s:#]+)(?P<anchor>#[^)]*)?(?=\))")


def _outside_links(text: str, here: str, repository: str | None) -> str:
    """Links as the repository has them, as the site needs them."""
    folder = PurePosixPath() if here in AT_ROOT.values() else PurePosixPath("docs", here).parent

    def lead(found: re.Match[str]) -> str:
        path = _normal(folder / found["target"])
        anchor = found["anchor"] or ""
        if path.startswith("docs/"):
            return _relative(path.removeprefix("docs/"), here) + anchor
        if path in AT_ROOT:
            return _relative(AT_ROOT[path], here) + anchor
        if path == "example_dags":
            return _relative("examples/index.md", here)
        if path.startswith("example_dags/") and path.endswith(".py"):
            return _relative(f"examples/{PurePosixPath(path).stem}.md", here)
        if (ROOT / path).exists():
            return f"{repository}/blob/main/{path}" if repository else _NOWHERE
        return found[0]

    if here.startswith(("operators/", "examples/", "api/")):
        return text
    return re.sub(rf"\[([^\]]+)\]\({_NOWHERE}\)", r"\1", _LINK.sub(lead, text))


_NOWHERE = "nowhere"


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _relative(target: str, here: str) -> str:
    return "../" * here.count("/") + target


_NOT_PROSE = re.compile(r"```.*?```|<!--.*?-->|\[[^\]]*\]\([^)]*\)|^#[^\n]*$", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"(?<![\w`\[])`(?P<name>\w+)`(?![`\w])")


@cache
def _targets() -> dict[str, str]:
    """Where what is named has its page: an anchor of the API in brackets, or a page of the site."""
    found: dict[str, str] = {}
    for module in _api():
        for name, member in package()[module].members.items():
            if not name.startswith("_") and not member.is_alias and (member.is_class or member.is_function):
                found[name] = f"[ringg_provider.{module}.{name}]"
    found |= {name: f"(operators/{name}.md)" for name in OPERATORS}
    found |= {name: f"(examples/{name}.md)" for name in _examples()}
    return found | _errors()


def _errors() -> dict[str, str]:
    """Each error's section of the runbook, the first that names it."""
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    found: dict[str, str] = {}
    errors = {
        name for name, member in package()["exceptions"].members.items() if not member.is_alias and member.is_class
    }
    for section in runbook.split("\n## ")[1:]:
        words = re.sub(r"[^\w\s-]", "", section.splitlines()[0].lower()).strip()
        slug = re.sub(r"[-\s]+", "-", words)
        for name in re.findall(r"\b[A-Z]\w+\b", section):
            if name in errors:
                found.setdefault(name, f"(runbook.md#{slug})")
    return found


def _linked(text: str, here: str) -> str:
    """The text with the first mention of everything that has a page, in each section, as a link."""
    targets, done = _targets(), set()
    own = PurePosixPath(here).stem

    def link(found: re.Match[str]) -> str:
        name = found["name"]
        target = targets.get(name)
        if target is None or name in done or name == own or target.startswith(f"({here}#"):
            return found[0]
        done.add(name)
        if target.startswith("["):
            return f"[`{name}`]{target}"
        return f"[`{name}`]({_relative(target[1:-1], here)})"

    pieces, end = [], 0
    for skipped in _NOT_PROSE.finditer(text):
        pieces += [_NAMED.sub(link, text[end : skipped.start()]), skipped[0]]
        if skipped[0].startswith("## "):
            done.clear()
        end = skipped.end()
    return "".join([*pieces, _NAMED.sub(link, text[end:])])
