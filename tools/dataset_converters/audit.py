"""Name the image labels that localizers contradict: classes that are missing, and surplus ones.

Examples::

    mmwsss data audit configs/custom/cam_lite2_custom.py --out work_dirs/audit
    mmwsss data audit CONFIG CHECKPOINT --out work_dirs/audit

Trains a model for each of --folds parts of the training images, on the images of the other parts, and lets
it judge its own. The second form trains nothing, and misses wrong labels that the model has learnt by
heart. Writes OUT/contradictions.csv (rank, id, class, kind, probability; the most suspicious first) and
OUT/audit.html, pictures of the first of each kind with the map of the class. What is finished in OUT is not
done again. Exit code 1: some images failed and are named.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmwsss.io import BatchReport
from mmwsss.report.audit import summary, write_audit_page
from mmwsss.stages.audit import audit_labels
from mmwsss.utils.cli import (
    add_config_arguments,
    add_device_argument,
    add_trust_argument,
    finish_report,
    run_tool,
)
from mmwsss.utils.config import load_config
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add_config_arguments(parser)
    parser.add_argument(
        'checkpoint', nargs='?', help='score all images by this model, not by folds'
    )
    parser.add_argument('--out', required=True, help='folder for folds, CSV and page')
    parser.add_argument('--folds', type=int, default=5, help='models (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the folds and the trainings')
    parser.add_argument(
        '--images', type=int, default=20, help='pictures of each kind (default: %(default)s)'
    )
    add_device_argument(parser)
    add_trust_argument(parser)
    return parser.parse_args(argv)


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    using = {'device': args.device, 'trust_checkpoint': args.trust_checkpoint}
    audit = audit_labels(cfg, args.out, args.checkpoint, args.folds, args.seed, **using)
    kinds = (
        [each for each in audit.doubts if each.kind == kind] for kind in ('missing', 'surplus')
    )
    shown = [doubt for of_kind in kinds for doubt in of_kind[: args.images]]
    page = write_audit_page(Path(args.out, 'audit.html'), audit, audit.maps(shown, **using))
    print(summary(audit))
    print(f'{Path(args.out, "contradictions.csv")}, {page}')
    done = [name for name in audit.models if name not in audit.failed]
    return finish_report(BatchReport(done, failed=audit.failed))


if __name__ == '__main__':
    run_tool(main, parse_args())
