"""Convert a released SIPE checkpoint to ours, or ours to theirs (--reverse); nothing may be left over."""

from __future__ import annotations

import argparse
import sys

import torch

import mmwsss
from mmwsss.masks.atomic import atomic_path
from mmwsss.models.convert import (
    ALIASES,
    mmwsss_to_released_sipe,
    released_sipe_to_mmwsss,
    unwrap_state_dict,
)
from mmwsss.utils.checkpoint import UntrustedCheckpointError, load_checkpoint_file

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


def convert(args: argparse.Namespace) -> dict:
    """Read the source and return what the target file shall hold."""
    try:
        content = load_checkpoint_file(args.source)
    except UntrustedCheckpointError as error:
        raise ValueError(
            f'{args.source!r} holds more than tensors and plain data; this tool reads nothing else'
        ) from error
    state = unwrap_state_dict(content)
    if args.reverse:
        meta = content.get('meta') if isinstance(content.get('meta'), dict) else {}
        aliases = meta.get(ALIAS_KEY, ['stage']) if args.aliases is None else args.aliases
        return {'net': mmwsss_to_released_sipe(state, aliases)}
    state, aliases = released_sipe_to_mmwsss(state)
    meta = {ALIAS_KEY: aliases, 'mmwsss_version': mmwsss.__version__}
    return {'meta': meta, 'state_dict': state}


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        content = convert(args)
    except (ValueError, FileNotFoundError) as error:
        print(f'error: {args.source}: {error}', file=sys.stderr)
        return 1
    with atomic_path(args.target) as temporary:
        torch.save(content, temporary)
    count = len(content['net' if args.reverse else 'state_dict'])
    print(f'{args.target}: {count} weights written')
    return 0


if __name__ == '__main__':
    sys.exit(main())
