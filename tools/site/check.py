"""Reads the site that was built: every link leads to a page and a place in it, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a browser loads by itself, and by which attribute.
_LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
#: Links of this kind name a file that the browser loads; others (`canonical`, `prev`) only tell where one is.
_LOADED_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest"}


class Page(HTMLParser):
    """What a page loads, leads to, and offers as anchors."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """The parser calls this for each tag."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag in _LOADED and given.get(_LOADED[tag]):
            self.loads.append(given[_LOADED[tag]])
        if tag == "link" and set(given.get("rel", "").split()) & _LOADED_LINKS:
            self.loads.append(given.get("href", ""))
        if tag == "a" and given.get("href"):
            self.leads.append(given["href"])


@cache
def read(file: Path) -> Page:
    """A page, once."""
    return Page(file)


def faults(site: Path) -> list[str]:
    """Each thing that is wrong with a site, as one line."""
    found = []
    for file in sorted(site.rglob("*.html")):
        page, name = read(file), file.relative_to(site)
        found += [f"{name}: loads {address}" for address in page.loads if _is_elsewhere(address)]
        if file.name == "404.html":
            continue  # it is shown at any address, and so leads by absolute ones
        found += [f"{name}: {fault}" for link in (*page.loads, *page.leads) if (fault := _fault(site, file, link))]
    for file in sorted(site.rglob("*.css")):
        loaded = re.findall(r"(?:url\(|@import\s+)['\"]?((?:https?:)?//[^'\")]+)", file.read_text(encoding="utf-8"))
        found += [f"{file.relative_to(site)}: loads {address}" for address in loaded]
    return found


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def _fault(site: Path, file: Path, link: str) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site) or not target.is_file():
        return f"leads to {link}, which is not there"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in read(target).anchors:
        return f"leads to {link}, and the page has no such place"
    return ""


def main() -> int:
    """Check the site whose folder is the one argument; returns the exit code."""
    site = Path(sys.argv[1]).resolve()
    pages = len(list(site.rglob("*.html")))
    wrong = faults(site)
    print(*wrong, f"{pages} pages, {len(wrong)} faults", sep="\n")
    return 1 if wrong or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
