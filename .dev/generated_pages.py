"""Shared by the tools that make pages, or parts of pages, of stored figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ['ROOT', 'check_parser', 'markers', 'replace_part', 'write_or_check']

ROOT = Path(__file__).resolve().parents[1]


def markers(name: str) -> tuple[str, str]:
    """The lines before and behind a generated part."""
    return f'<!-- {name}:start -->', f'<!-- {name}:end -->'


def replace_part(page: str, name: str, body: str, page_name: str = 'the page') -> str:
    """A page with what stands between the markers of a part replaced.

    Raises:
        ValueError: A marker is missing.
    """
    start, end = markers(name)
    if start not in page or end not in page:
        raise ValueError(f'{page_name} must hold the markers {start} and {end}')
    before, rest = page.split(start, 1)
    return f'{before}{start}\n{body}\n{end}{rest.split(end, 1)[1]}'


def check_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows ``--check``."""
    parser = argparse.ArgumentParser(description=(description or '').split('\n\n')[0])
    parser.add_argument('--check', action='store_true', help='only compare, exit 1 if different')
    return parser


def write_or_check(wanted: Mapping[Path, str], check: bool, source: str, root: Path = ROOT) -> int:
    """Write the files that are not as they should be, or only name them.

    Args:
        wanted: Text of each file.
        check: Write nothing.
        source: What the files are made of, for the message.
        root: Folder that names start from.

    Returns:
        Exit code: 1 if ``check`` found a difference.
    """
    stale = [p for p, text in wanted.items() if not p.is_file() or p.read_text('utf-8') != text]
    for path in stale:
        name = path.relative_to(root)
        if check:
            print(f'{name} is not what {source} says: run this without --check', file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding='utf-8')
            print(f'wrote {name}')
    return 1 if check and stale else 0
