"""Lets the API's pages link what a docstring names by a reST role: an extension of griffe."""

from __future__ import annotations

import re
from typing import Any

import griffe

#: A role such as ``:class:`~package.module.Name```, as this project's docstrings have them.
_ROLE = re.compile(r":(?:class|func|meth|mod|attr):`(?P<short>~?)(?P<target>[\w.]+)`")


def without_roles(text: str) -> str:
    """The text with every role as an inline code of its last name."""
    return _ROLE.sub(lambda role: f"`{role['target'].rpartition('.')[2]}`", text)


class Roles(griffe.Extension):
    """Rewrites the roles of every docstring before it is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ARG002 - griffe hands over more
        """Griffe calls this for each object that it has loaded."""
        if obj.docstring is not None:
            obj.docstring.value = without_roles(obj.docstring.value)
