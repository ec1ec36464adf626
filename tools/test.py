"""Score a checkpoint with the test loop of its config."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmwsss.evaluation.crf_evaluator import failed_images
from mmwsss.stages.test import TEST_KEYS, run_test, use_test_config
from mmwsss.stages.train import default_work_dir
from mmwsss.utils.cli import (
    add_config_arguments,
    add_device_argument,
    add_launcher_arguments,
    add_precision_argument,
    add_trust_argument,
    run_tool,
)
from mmwsss.utils.config import load_config
from mmwsss.utils.precision import set_precision
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='weights of the model')
    parser.add_argument(
        '--work-dir', help="folder for logs and scores (default: `test` in the training's default)"
    )
    parser.add_argument(
        '--out',
        help="folder for a segmenter's masks, palette PNGs as VOC's server takes them; a test set without "
        'masks is then predicted',
    )
    parser.add_argument(
        '--test-config',
        help='take the test datasets and metrics from this config, e.g. '
        'configs/test_sets/voc_pascal_b.py; --cfg-options test_... then refer to it',
    )
    parser.add_argument('--show-dir', help='folder for pictures of the predictions')
    parser.add_argument('--tta', action='store_true', help="the config's scales and mirrors")
    parser.add_argument(
        '--crf', action='store_true', help="score without and with DeepLabV2's dense CRF"
    )
    add_device_argument(parser)
    add_precision_argument(parser)
    add_trust_argument(parser)
    add_launcher_arguments(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    options = args.cfg_options or {}
    of_test = {key: v for key, v in options.items() if key.split('.')[0] in TEST_KEYS}
    if not args.test_config:
        of_test = {}
    cfg = load_config(args.config, {key: v for key, v in options.items() if key not in of_test})
    if args.test_config:
        use_test_config(cfg, args.test_config, of_test)
    set_precision(cfg, args.precision)
    cfg.launcher = args.launcher
    cfg.work_dir = args.work_dir or str(Path(default_work_dir(cfg, args.config), 'test'))
    if args.show_dir:
        if 'visualization' not in cfg.get('default_hooks', {}):
            raise KeyError('--show-dir needs default_hooks.visualization, which the config lacks')
        cfg.default_hooks.visualization.draw = True
        cfg.visualizer.save_dir = args.show_dir
    scores = run_test(cfg, args.checkpoint, args.tta, args.out, args.trust_checkpoint, args.crf)
    return 1 if failed_images(scores) else 0


if __name__ == '__main__':
    run_tool(main, parse_args())
