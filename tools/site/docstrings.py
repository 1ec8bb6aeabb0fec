"""Lets mkdocstrings read this project's docstrings, which are reST: an extension of griffe."""

from __future__ import annotations

import re
from typing import Any

import griffe

#: A role such as ``:class:`~package.module.Name```.
_ROLE = re.compile(r":(?:class|func|meth|mod|attr):`~?(?P<target>[\w.]+)`")


def readable(docstring: str) -> str:
    """A docstring with every role as an inline code of its last name, and its fields at the end.

    What follows the fields would be taken for the last one's text.
    """
    text = _ROLE.sub(lambda role: f"`{role['target'].rpartition('.')[2]}`", docstring)
    paragraphs = text.split("\n\n")
    first = next((number for number, each in enumerate(paragraphs) if each.startswith(":")), len(paragraphs))
    after = [each for each in paragraphs[first:] if not each.startswith((":", " "))]
    fields = [each for each in paragraphs[first:] if each.startswith((":", " "))]
    return "\n\n".join([*paragraphs[:first], *after, *fields])


class Readable(griffe.Extension):
    """Rewrites every docstring before it is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ARG002 - griffe hands over more
        """Griffe calls this for each object that it has loaded."""
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)
