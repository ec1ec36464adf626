"""Train a localizer or a segmenter, with mmsegmentation's arguments."""

from __future__ import annotations

import argparse

from mmwsss.stages.train import (
    check_trains,
    default_work_dir,
    enable_amp,
    run_training,
    share_batch,
)
from mmwsss.utils.cli import (
    add_config_arguments,
    add_device_argument,
    add_launcher_arguments,
    add_trust_argument,
    run_tool,
)
from mmwsss.utils.config import load_config
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        action='store_true',
        help="go on from the latest checkpoint in the work dir, or if there is none, from the config's "
        'load_from',
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate with the global batch, by the config's auto_scale_lr",
    )
    parser.add_argument(
        '--share-batch',
        action='store_true',
        help="share the config's batch_size among the processes, so that their number changes nothing",
    )
    parser.add_argument('--seed', type=int, help="seed, instead of the config's randomness.seed")
    add_device_argument(parser)
    add_trust_argument(parser)
    add_config_arguments(parser)
    add_launcher_arguments(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    check_trains(cfg)
    cfg.launcher = args.launcher
    cfg.work_dir = default_work_dir(cfg, args.config, args.work_dir)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
        cfg.auto_scale_lr.enable = True
    if args.share_batch:
        share_batch(cfg)
    if args.seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': args.seed}
    run_training(cfg, args.resume, args.trust_checkpoint)
    return 0


if __name__ == '__main__':
    run_tool(main, parse_args())
