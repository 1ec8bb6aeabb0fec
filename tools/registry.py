"""Writes .airflow-registry.yaml, for Airflow's registry of providers, out of the classes and their docstrings."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / ".airflow-registry.yaml"
_HEAD = """\
# What Airflow's registry of providers shows of this one: `python tools/registry.py` writes it. The form is that of
# other providers outside of Airflow's repository; `docs-url` and `source-url` come when the repository has an address.
package-name: ringg-provider
display-name: Ringg AI
description: Scheduled bulk calling with voice agents. A warehouse query in, call outcomes out, nobody called twice.
"""
_HOOKS = {"ringg_provider.hooks.ringg": "RinggHook", "ringg_provider.hooks.smartalex": "SmartAlexHook"}


def text() -> str:
    """What the file has to say."""
    spec = importlib.util.spec_from_file_location("site_operators", Path(__file__).parent / "site" / "operators.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds: dict[str, list[tuple[str, str]]] = {"operators": [], "sensors": [], "transfers": [], "hooks": []}
    for name, data in module.operators().items():
        kinds[data["import"].split(".")[1]].append((data["import"], name))
    kinds["hooks"] = list(_HOOKS.items())
    parts = [_HEAD]
    for kind, found in kinds.items():
        entries = [
            f"  - module: {place}.{name}\n    description: >-\n      {_about(place, name)}\n" for place, name in found
        ]
        parts.append(f"{kind}:\n{''.join(entries)}")
    return "\n".join(parts)


def _about(module: str, name: str) -> str:
    sys.path.insert(0, str(ROOT))
    docstring = getattr(importlib.import_module(module), name).__doc__ or ""
    return " ".join(docstring.strip().split("\n\n")[0].split()).replace("``", "`")


if __name__ == "__main__":
    FILE.write_text(text())
