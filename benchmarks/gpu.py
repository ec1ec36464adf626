"""Throughput, memory, launches and busy share of every stage on an accelerator, in at most ten minutes.

    python benchmarks/gpu.py --out work_dirs/benchmarks/gpu.json

Training steps (forward, backward, SGD) of the full-size configs, with random weights, at their crop and
batch, in float32 and under bfloat16 autocast; class maps of SIPE, edges of IRNet, the random walk and PAR
for one 500x375 image. Images are random and on the device, so that nothing waits for files. Busy: the share
of a profiled call in which a kernel runs; the rest waits for Python. Launches are kernels; without a GPU the
operations of torch that no other operation calls. `--small`, or a machine without a GPU: tiny networks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from common import clock, peak_memory, write_json
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from rpnet_head import make_batch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from mmwsss.functional import pixel_adaptive_refine, propagate
from mmwsss.models.fold_norm import fold_batch_norm
from mmwsss.stages.load import load_localizer
from mmwsss.utils.config import load_config
from mmwsss.utils.nested import dicts_in
from mmwsss.utils.precision import PRECISIONS, autocast, run_in

TRAININGS = {
    'CAM': ('configs/cam/cam_r50_voc.py', 'configs/cam/cam_tiny_demo.py'),
    'SIPE': ('configs/sipe/sipe_r50_voc.py', 'configs/sipe/sipe_tiny_demo.py'),
    'RPNet': ('configs/rpnet/rpnet_r50_voc.py', 'configs/rpnet/rpnet_tiny_demo.py'),
    'IRNet': ('configs/irn/irn_r50_voc.py', 'configs/irn/irn_tiny_demo.py'),
    'DeepLabV2': (
        'configs/deeplabv2/deeplabv2_r101_voc_pseudo.py',
        'configs/deeplabv2/deeplabv2_tiny_demo_pseudo.py',
    ),
}
STAGES = (*TRAININGS, 'maps', 'edges', 'walk', 'PAR')
SMALL = dict(batch=2, size=64)
CLASSES = 5  # of the small networks
IMAGE, SMALL_IMAGE = (375, 500), (48, 64)
Work = Callable[[], object]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    has_gpu = torch.cuda.is_available()
    parser.add_argument('--only', nargs='+', choices=STAGES, default=STAGES, help='these stages')
    parser.add_argument('--small', action='store_true', default=not has_gpu, help='tiny networks')
    parser.add_argument(
        '--seconds', type=float, default=8, help='of timed calls per row (default: %(default)s)'
    )
    parser.add_argument('--device', default='cuda' if has_gpu else 'cpu')
    parser.add_argument('--out', default='work_dirs/benchmarks/gpu.json')
    return parser.parse_args(argv)


def read(path: str, small: bool) -> Any:
    """A config, whose data need not be there."""
    cfg = load_config(path, num_classes=not small)
    for node in dicts_in(cfg.model):
        if node.get('num_classes') == 'auto':
            node['num_classes'] = CLASSES
    if isinstance(cfg.model.get('backbone'), dict):
        cfg.model.backbone.init_cfg = None
    cfg.model.pop('init_cfg', None)
    return cfg


def make_model(cfg: Any, device: str) -> Any:
    torch.manual_seed(0)
    return MODELS.build(cfg.model).to(device)


def training(name: str, precision: str, args: argparse.Namespace) -> tuple[Work, int]:
    """A training step of a config, and its images."""
    cfg = read(TRAININGS[name][args.small], args.small)
    case = SMALL if args.small else published(cfg.train_dataloader)
    model = make_model(cfg, args.device).train()
    images, samples = make_batch(case['batch'], case['size'], classes_of(cfg), 2)
    images, samples = images.to(args.device), [with_mask(s, case['size']) for s in samples]
    samples = [sample.to(args.device) for sample in samples]
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(wanted, lr=1e-6, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast(images.device, precision):
            losses = model(images, samples, mode='loss')
        values = [v for key, v in losses.items() if 'loss' in key]
        sum(v if torch.is_tensor(v) else sum(v) for v in values).backward()
        optimizer.step()

    return step, len(images)


def published(loader: Any) -> dict[str, int]:
    """Images of a batch, those of groups counted one by one, and side of their crops."""
    parts = list(dicts_in(loader))
    group = next((part['group_size'] for part in parts if 'group_size' in part), 1)
    crop = next(part['crop_size'] for part in parts if 'crop_size' in part)
    return dict(batch=loader.batch_size * group, size=crop[0])


def classes_of(cfg: Any) -> int:
    """Number of foreground classes that labels are made of."""
    heads = [node['num_classes'] for node in dicts_in(cfg.model) if 'num_classes' in node]
    return min(heads, default=CLASSES)


def with_mask(sample: Any, size: int) -> Any:
    """The sample with a mask, too: background and an object of its first class."""
    mask = torch.zeros(1, size, size, dtype=torch.int64)
    mask[:, size // 4 : size // 2, size // 4 : size // 2] = 1
    sample.gt_sem_seg = PixelData(data=mask)
    return sample


@torch.no_grad()
def maps(precision: str, args: argparse.Namespace) -> tuple[Work, int]:
    """SIPE's class maps of an image with two classes, by the model that `make_maps.py` loads."""
    cfg = read(TRAININGS['SIPE'][args.small], args.small)
    cfg.model.test_cfg = {**(cfg.model.get('test_cfg') or {}), 'precision': precision}
    model = make_model(cfg, 'cpu')
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'random.pth')
        torch.save({'meta': {}, 'state_dict': model.state_dict()}, path)
        model = load_localizer(cfg, path, args.device)
    image = torch.randn(3, *size_of(args), device=args.device)
    label = torch.zeros(model.head.num_classes, device=args.device)
    label[:2] = 1
    return lambda: model.class_maps(image, label), 1


def edges(precision: str, args: argparse.Namespace) -> tuple[Work, int]:
    """IRNet's edges of an image."""
    model = make_model(read(TRAININGS['IRNet'][args.small], args.small), 'cpu').eval()
    model.backbone = fold_batch_norm(model.backbone)
    run_in(model.backbone, precision)
    model = model.to(args.device, memory_format=torch.channels_last)
    image = torch.randn(1, 3, *size_of(args), device=args.device)
    return lambda: model.edge_maps(image), 1


@torch.no_grad()
def walk(precision: str, args: argparse.Namespace) -> tuple[Work, int]:
    """The random walk of two classes and the background on the grid of stride 4."""
    height, width = (-(-side // 4) for side in size_of(args))
    scores = torch.rand(3, height, width, device=args.device)
    edge = torch.rand(height, width, device=args.device) ** 4
    return lambda: propagate(scores, edge), 1


@torch.no_grad()
def par(precision: str, args: argparse.Namespace) -> tuple[Work, int]:
    """Ten iterations of PAR for two classes and the background."""
    image = torch.rand(1, 3, *size_of(args), device=args.device)
    scores = torch.rand(1, 3, *size_of(args), device=args.device)
    return lambda: pixel_adaptive_refine(image, scores), 1


def size_of(args: argparse.Namespace) -> tuple[int, int]:
    return SMALL_IMAGE if args.small else IMAGE


INFERENCE = {'maps': maps, 'edges': edges, 'walk': walk, 'PAR': par}
ONE_PRECISION = ('walk', 'PAR')  # no network


def rows(args: argparse.Namespace) -> Iterator[tuple[str, str, Callable[[], tuple[Work, int]]]]:
    """Stage, precision and what builds its work."""
    for stage in args.only:
        for precision in PRECISIONS[:1] if stage in ONE_PRECISION else ('float32', 'bfloat16'):
            if stage in TRAININGS:
                yield stage, precision, lambda s=stage, p=precision: training(s, p, args)
            else:
                yield stage, precision, lambda s=stage, p=precision: INFERENCE[s](p, args)


def measure(work: Work, images: int, args: argparse.Namespace) -> dict[str, Any]:
    """Images per second, memory, launches and busy share of a work."""
    for _ in range(1 if args.small else 5):  # libraries choose their kernels
        work()
    calls, start, limit = 0, clock(), time.monotonic() + args.seconds
    while not calls or time.monotonic() < limit:
        work()
        calls += 1
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    seconds = (clock() - start) / calls
    return {
        'images': images,
        'milliseconds': round(1000 * seconds, 2),
        'images_per_second': round(images / seconds, 2),
        'peak_mib': round(peak_memory(work) / 2**20, 1),
        'calls': calls,
        **profiled(work),
    }


def profiled(work: Work) -> dict[str, Any]:
    """Launches of a call, and the share of it in which a kernel runs (None without a GPU)."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
        torch.cuda.synchronize()
    with profile(activities=activities) as profiler:
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        wall = time.perf_counter() - start
    events = [e for e in profiler.events() if not getattr(e, 'is_user_annotation', False)]
    kernels = [e for e in events if e.device_type == DeviceType.CUDA]
    if not torch.cuda.is_available():
        outer = [e for e in events if e.name.startswith('aten::') and e.cpu_parent is None]
        return {'launches': len(outer), 'busy': None}
    launched = [e for e in kernels if not e.name.startswith(('Memcpy', 'Memset', 'Optimizer.'))]
    spans = sorted((e.time_range.start, e.time_range.end) for e in launched)
    busy, reached = 0.0, float('-inf')
    for begin, end in spans:  # kernels may overlap
        busy += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return {'launches': len(launched), 'busy': round(busy / 1e6 / wall, 3)}


def line(stage: str, precision: str, found: dict[str, Any]) -> str:
    if 'error' in found:
        return f'{stage:10} {precision:9} {found["error"]}'
    busy = '' if found['busy'] is None else f'{found["busy"]:7.0%}'
    return (
        f'{stage:10} {precision:9} {found["images"]:6} {found["milliseconds"]:10.1f} '
        f'{found["images_per_second"]:9.1f} {found["peak_mib"]:9.0f} {found["launches"]:9} {busy}'
    )


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    torch.backends.cudnn.benchmark = True
    results: dict[str, Any] = {'small': args.small, 'seconds': args.seconds}
    header = 'stage      precision images  ms a call  images/s  peak MiB  launches    busy'
    lines, failed = [header], False
    for stage, precision, build in rows(args):
        try:
            found = measure(*build(), args)
        except RuntimeError as error:  # out of memory, say: the others are measured all the same
            found, failed = {'error': str(error).splitlines()[0]}, True
        results[f'{stage} {precision}'] = found
        lines.append(line(stage, precision, found))
        print(lines[-1], flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    write_json(args.out, results)
    print('\n'.join(lines))
    return int(failed)


if __name__ == '__main__':
    raise SystemExit(main())
