"""Finds the classes that the provider offers to Airflow, by looking at the code and not at what it says of itself."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseOperatorLink
from airflow.triggers.base import BaseTrigger

import ringg_provider

#: What each kind of module holds. A sensor and a transfer are operators by class; the package tells them apart.
KINDS: dict[str, type] = {
    "hooks": BaseHook,
    "operators": BaseOperator,
    "sensors": BaseOperator,
    "triggers": BaseTrigger,
    "transfers": BaseOperator,
    "links": BaseOperatorLink,
}

#: What an older Airflow cannot load: its deadlines have no references but its own before 3.2.
NOT_HERE = (
    frozenset[str]()
    if hasattr(importlib.import_module("airflow.sdk.definitions.deadline"), "BaseDeadlineReference")
    else frozenset({"ringg_provider.deadlines"})
)


def public_classes(kind: str) -> Iterator[type]:
    """Every public class of a kind, base classes among them, where it is defined."""
    package = importlib.import_module(f"{ringg_provider.__name__}.{kind}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for name, found in vars(importlib.import_module(module.name)).items():
            if (
                inspect.isclass(found)
                and issubclass(found, KINDS[kind])
                and found.__module__ == module.name
                and not name.startswith("_")
            ):
                yield found


def offered(kind: str) -> Iterator[type]:
    """Every public concrete class of a kind, where it is defined."""
    return (found for found in public_classes(kind) if not inspect.isabstract(found) and not _does_nothing(found))


def _does_nothing(found: type) -> bool:
    """Whether it is a base that only says where its subclasses act."""
    return issubclass(found, BaseOperator) and found.execute is BaseOperator.execute


def offered_operators() -> list[type]:
    """Every operator, sensor and transfer."""
    return [found for kind in ("operators", "sensors", "transfers") for found in offered(kind)]
