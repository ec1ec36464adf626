"""Convert a released SIPE, IRN CAM or IRNet checkpoint to ours, or ours to theirs (--reverse).

Which of the three it is, its names say. Nothing may be left over.
"""

from __future__ import annotations

import sys
from typing import Any

from torch import Tensor

import mmwsss
from mmwsss.models.convert import ALIASES, mmwsss_to_released_sipe, released_sipe_to_mmwsss
from mmwsss.stages.convert import convert_file
from mmwsss_command import ToolParser


def main(argv: list[str] | None = None) -> int:
    parser = ToolParser(__doc__)
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

    def convert(state: dict[str, Tensor], meta: dict[str, Any]) -> dict[str, Any]:
        if args.reverse:
            aliases = meta.get('sipe_aliases', ['stage']) if args.aliases is None else args.aliases
            return {'net': mmwsss_to_released_sipe(state, aliases)}
        state, aliases = released_sipe_to_mmwsss(state)
        meta = {'sipe_aliases': aliases, 'mmwsss_version': mmwsss.__version__}
        return {'meta': meta, 'state_dict': state}

    return convert_file(args.source, args.target, convert)


if __name__ == '__main__':
    sys.exit(main())
