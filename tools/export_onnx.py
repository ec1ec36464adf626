"""Write a trained model as an ONNX file.

Input `image`: float32 (1, 3, H, W), RGB 0..255, of any size. A segmenter gives `logits` (1, K, H, W). A
localizer has a second input, `labels` (1, K), ones for the classes in the image, and gives the `maps` of one
scale and the `scores` (probabilities) of the classes. Needs pip install "mmwsss[onnx]".
"""

from __future__ import annotations

import argparse

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import process_items
from mmwsss.stages.export import Parity, compare_onnx, export_onnx
from mmwsss.stages.load import load_model
from mmwsss.stages.photos import by_name, find_images
from mmwsss.utils.cli import add_config_arguments, add_trust_argument, finish_report, run_tool
from mmwsss.utils.config import load_config
from mmwsss.utils.precision import set_precision
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument('--out', required=True, help='the ONNX file')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='of all images, for models that cannot be exported for any size',
    )
    parser.add_argument(
        '--check', nargs='+', metavar='IMAGE', help='compare ONNX Runtime with PyTorch on these'
    )
    add_trust_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    set_precision(cfg, 'float32')  # the file's
    photos = by_name(find_images(args.check) if args.check else [])
    model = load_model(cfg, args.checkpoint, 'cpu', args.trust_checkpoint)
    exported = export_onnx(model, args.out, args.size and tuple(args.size))
    print(f'{args.out}: {", ".join(exported.inputs)} -> {", ".join(exported.outputs)}')

    def work(name: str) -> Parity:
        return compare_onnx(args.out, exported, load_rgb(photos[name], name))

    def take(name: str, found: Parity) -> None:
        print(
            f'{name} ({found.size[0]} x {found.size[1]}): largest difference '
            f'{found.difference:.2g}, {100 * found.changed:.4f} % of pixels changed'
        )

    report = process_items(list(photos), work, None, 'comparing', on_result=take)
    return finish_report(report) if photos else 0


if __name__ == '__main__':
    run_tool(main, parse_args())
