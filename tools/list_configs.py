"""List the package's configs, or find some: those whose path or first line has all words.

    mmwsss configs sipe voc

A config is named by its path here, also from another folder. One of your own builds on it by
_base_ = 'mmwsss::sipe/sipe_r50_voc.py'.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mmwsss_command import ToolParser

ROOT = Path(__file__).resolve().parents[1]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('words', nargs='*', metavar='WORD', help='part of a path or description')
    parser.add_argument('--folder', action='store_true', help='only say in which folder they lie')
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    folder = ROOT / 'configs'
    if args.folder:
        print(folder)
        return 0
    lines = [
        f'{path.relative_to(ROOT).as_posix():<64} {description(path)}'.rstrip()
        for path in sorted(folder.rglob('*.py'))
        if '_base_' not in path.relative_to(folder).parts
    ]
    found = [line for line in lines if all(word.lower() in line.lower() for word in args.words)]
    if not found:
        print(f'error: no config has {" and ".join(args.words)}', file=sys.stderr)
        return 2
    try:
        print('\n'.join(found), flush=True)
    except BrokenPipeError:  # behind `| head`; what Python flushes at its end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def description(path: Path) -> str:
    """The first sentence of the comment that a config begins with."""
    lines = path.read_text(encoding='utf-8').splitlines()
    number = next((i for i, line in enumerate(lines) if not line.startswith('#')), len(lines))
    text = ' '.join(line.lstrip('# ') for line in lines[:number])
    return text.partition('. ')[0].rstrip('.')


if __name__ == '__main__':
    sys.exit(main(parse_args()))
