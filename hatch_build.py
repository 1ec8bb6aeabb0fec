"""What hatchling asks while it builds: the README for the package index, the addresses, and the bill of materials.

Where the repository is stands in pyproject.toml, under `[tool.hatch.metadata.hooks.custom]`, and nowhere else.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface
from packaging.requirements import Requirement

#: A link or picture of the README that leads into the repository.
_RELATIVE = re.compile(r"(?P<picture>!?)(?P<text>\[[^\]]*\])\((?P<target>(?!\w+:|#)[^)]+)\)")


class MetadataHook(MetadataHookInterface):
    """The README with absolute links, and the project's addresses."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Hatchling hands over `[project]`, to be completed."""
        repository = self.config.get("repository", "").rstrip("/")
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = with_absolute_links(readme, repository) if repository else readme
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = {"The platform's documentation": "https://docs.ringg.ai/"}
        if repository:
            metadata["urls"] |= {
                "Source": repository,
                "Documentation": f"{repository}/tree/main/docs",
                "Changelog": f"{repository}/blob/main/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }


class BuildHook(BuildHookInterface[Any]):
    """The software bill of materials of a wheel (PEP 770)."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Hatchling calls this before it builds; an editable install takes no bill."""
        if version == "editable":
            return
        file = Path(self.directory) / "ringg-provider.cdx.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        bill = bill_of_materials(tomllib.loads((Path(self.root) / "pyproject.toml").read_text()), self.metadata.version)
        file.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
        build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Hatchling calls this when it has built."""
        for file in build_data["sbom_files"]:
            Path(file).unlink(missing_ok=True)


def with_absolute_links(readme: str, repository: str) -> str:
    """The README for a page that does not stand in the repository."""

    def absolute(found: re.Match[str]) -> str:
        kind = "raw" if found["picture"] else "blob"
        return f"{found['picture']}{found['text']}({repository}/{kind}/main/{found['target']})"

    return _RELATIVE.sub(absolute, readme)


def bill_of_materials(pyproject: dict[str, Any], version: str) -> dict[str, Any]:
    """CycloneDX: the package, which holds no code of others, and what it asks for; the same for the same tree."""
    project = pyproject["project"]
    name = project["name"]
    own = f"pkg:pypi/{name}@{version}"
    needed = {_purl(line): ("required", line) for line in project["dependencies"]}
    for extra in ("sandbox", "snowflake", "bigquery", "redshift", "databricks", "mysql", "duckdb", "ui"):
        for line in project["optional-dependencies"][extra]:
            needed.setdefault(_purl(line), ("optional", line))
    components = [
        {
            "type": "library",
            "bom-ref": purl,
            "name": Requirement(line).name,
            "purl": purl,
            "scope": scope,
            "properties": [{"name": "python:requirement", "value": line}],
        }
        for purl, (scope, line) in sorted(needed.items())
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": own,
                "name": name,
                "version": version,
                "description": project["description"],
                "purl": own,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": sorted(needed)}],
    }


def _purl(requirement: str) -> str:
    return f"pkg:pypi/{Requirement(requirement).name.lower().replace('_', '-')}"
