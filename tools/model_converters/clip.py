"""Convert a CLIP with a vision transformer (ViT-B/16) to ours, or ours to theirs (--reverse).

OpenAI's and Hugging Face's names are told apart. Nothing may be left over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from torch import Tensor

import mmwsss
from mmwsss.models.convert import clip_to_mmwsss, mmwsss_to_clip
from mmwsss.stages.convert import convert_file
from mmwsss_command import ToolParser


def main(argv: list[str] | None = None) -> int:
    parser = ToolParser(__doc__)
    parser.add_argument('source', help='.safetensors or checkpoint to read')
    parser.add_argument('target', help='checkpoint to write')
    parser.add_argument('--reverse', action='store_true', help='from ours to theirs')
    parser.add_argument(
        '--naming',
        choices=('openai', 'huggingface'),
        help='with --reverse: whose names; by default those that the converted file had',
    )
    args = parser.parse_args(argv)
    if args.naming and not args.reverse:
        parser.error('--naming needs --reverse')
    if not Path(args.source).is_file():
        print(
            f'error: weights not found: {args.source}. Nothing is downloaded: put a file of CLIP there, '
            'such as model.safetensors of openai/clip-vit-base-patch16 or open_clip_model.safetensors '
            'of timm/vit_base_patch16_clip_224.openai',
            file=sys.stderr,
        )
        return 2

    def convert(state: dict[str, Tensor], meta: dict[str, Any]) -> dict[str, Any]:
        if args.reverse:
            return mmwsss_to_clip(state, args.naming or meta.get('clip_naming', 'openai'))
        weights, naming = clip_to_mmwsss(state)
        width, _, patch, _ = weights['backbone.patch_embed.projection.weight'].shape
        if (width, patch) != (768, 16):
            print(
                'warning: the configs are of a ViT-B/16 (768 channels, patches of 16 pixels), this one has '
                f'{width} and {patch}: set model.backbone, too',
                file=sys.stderr,
            )
        meta = {'clip_naming': naming, 'mmwsss_version': mmwsss.__version__}
        return {'meta': meta, 'state_dict': weights}

    return convert_file(args.source, args.target, convert)


if __name__ == '__main__':
    sys.exit(main())
