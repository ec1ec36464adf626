"""Reading of the documentation's pages: code blocks, commands, links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / 'README.md',
    *sorted((ROOT / 'docs').rglob('*.md')),
    *sorted((ROOT / 'configs').rglob('*.md')),
]
_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that a first line ``# folder/name.py`` names."""
        found = re.match(r'# ([\w./]+\.py)\n', self.text)
        return found and found[1]


def read_page(path: Path) -> str:
    return path.read_text(encoding='utf-8')


def blocks(path: Path, *languages: str) -> list[Block]:
    """The blocks of some languages, in order."""
    found = [Block(*match) for match in _BLOCK.findall(read_page(path))]
    return [block for block in found if block.language in languages]


def commands(path: Path) -> list[str]:
    """The command lines of a page's shell blocks, continuation lines joined."""
    text = ''.join(block.text for block in blocks(path, 'sh', 'bash')).replace('\\\n', ' ')
    return [line.strip() for line in text.splitlines() if line.strip()]


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub('', read_page(path))


def anchors(path: Path) -> set[str]:
    """What links may name behind ``#``: the headings, as GitHub writes them."""
    headings = re.findall(r'^#+ (.+)$', prose(path), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))
