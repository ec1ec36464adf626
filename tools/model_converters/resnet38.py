"""Convert a public WideResNet-38 file to ours, or ours to theirs (--reverse).

Nothing may be left over."""

from __future__ import annotations

import sys
from typing import Any

from torch import Tensor

import mmwsss
from mmwsss.models.convert import mmwsss_to_public_resnet38, public_resnet38_to_mmwsss
from mmwsss.stages.convert import convert_file
from mmwsss_command import ToolParser


def main(argv: list[str] | None = None) -> int:
    parser = ToolParser(__doc__)
    parser.add_argument('source', help='checkpoint to read')
    parser.add_argument('target', help='checkpoint to write')
    parser.add_argument('--reverse', action='store_true', help='from ours to the public names')
    parser.add_argument(
        '--drop',
        nargs='+',
        default=[],
        metavar='LAYER',
        help='layers of the public file to leave out, e.g. another classifier',
    )
    args = parser.parse_args(argv)
    if args.drop and args.reverse:
        parser.error('--drop does not go with --reverse')

    def convert(state: dict[str, Tensor], meta: dict[str, Any]) -> dict[str, Any]:
        if args.reverse:
            return dict(mmwsss_to_public_resnet38(state))
        weights = public_resnet38_to_mmwsss(state, args.drop)
        return {'meta': {'mmwsss_version': mmwsss.__version__}, 'state_dict': weights}

    return convert_file(args.source, args.target, convert)


if __name__ == '__main__':
    sys.exit(main())
