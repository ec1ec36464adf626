"""Convert a released SIPE, IRN CAM or IRNet checkpoint to ours, or ours to theirs (--reverse).

Which of the three it is, its names say. Nothing may be left over.
"""

from __future__ import annotations

import argparse
import functools
import sys
from typing import Any

from torch import Tensor

import mmwsss
from mmwsss.apis.convert import convert_file
from mmwsss.models.convert import ALIASES, mmwsss_to_released_sipe, released_sipe_to_mmwsss

ALIAS_KEY = 'sipe_aliases'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='checkpoint to read')
    parser.add_argument('target', help='checkpoint to write')
    parser.add_argument('--reverse', action='store_true', help="from ours to the authors' names")
    parser.add_argument(
        '--aliases',
        nargs='*',
        choices=ALIASES,
        help='with --reverse: which copies of the weights to write; by default those that the '
        'converted checkpoint had, else stage',
    )
    args = parser.parse_args(argv)
    if args.aliases is not None and not args.reverse:
        parser.error('--aliases needs --reverse')
    return args


def convert(
    state: dict[str, Tensor], meta: dict[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """What the target file shall hold."""
    if args.reverse:
        aliases = meta.get(ALIAS_KEY, ['stage']) if args.aliases is None else args.aliases
        return {'net': mmwsss_to_released_sipe(state, aliases)}
    state, aliases = released_sipe_to_mmwsss(state)
    meta = {ALIAS_KEY: aliases, 'mmwsss_version': mmwsss.__version__}
    return {'meta': meta, 'state_dict': state}


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return convert_file(args.source, args.target, functools.partial(convert, args=args))


if __name__ == '__main__':
    sys.exit(main())
