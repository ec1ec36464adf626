"""Make the pictures in docs/images/methods: what a method gets, what it changes, what comes out.

All are of the generated demo images and the networks of `make demo`, which must have been run. Where a
method has no network there, its step is shown on a stand-in that the title names.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_gradient_magnitude
from skimage.measure import label, regionprops
from skimage.segmentation import mark_boundaries, slic

from generated_pages import ROOT
from mmwsss.apis import load_localizer
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.functional import propagate, size_weights
from mmwsss.functional.boxes import Box, constrain_labels
from mmwsss.functional.rpnet import confidence_map, foreground_probability, region_prototype
from mmwsss.functional.segment_vote import segment_vote as votes
from mmwsss.io import ClassMaps, load_class_maps, load_mask, voc_palette
from mmwsss.refine import (
    BackgroundThreshold,
    DenseCRF,
    PixelAdaptiveRefinement,
    RefinerChain,
    SVMExpansion,
)
from mmwsss.visualization.panels import Tile, heatmap, overlay, panel_image

PALETTE = voc_palette(6)
OUT = ROOT / 'docs' / 'images' / 'methods'
GRID = 32  # side of the grid on which the random walk and the prototypes work


class Demo:
    """What `make demo` left, and one of its training images.

    Args:
        data: Folder of the demo's images.
        run: Work directory of the demo.
        name: Image id.
        partner: Another image that shares a class.
    """

    def __init__(self, data: Path, run: Path, name: str, partner: str) -> None:
        self.data, self.run, self.name, self.partner = data, run, name, partner
        self.photo, self.true = self.image(name), self.truth(name)
        self.cam = load_class_maps(run / 'cam' / f'{name}.npz')
        self.maps = load_class_maps(run / 'maps' / f'{name}.npz')
        self.mask = load_mask(run / 'masks' / f'{name}.png')

    def image(self, name: str) -> np.ndarray:
        """An image, RGB uint8 (H, W, 3)."""
        return load_rgb(self.data / 'JPEGImages' / f'{name}.jpg')

    def truth(self, name: str) -> np.ndarray:
        """Its true mask (H, W)."""
        return load_mask(self.data / 'SegmentationClass' / f'{name}.png')

    def heat(self, maps: ClassMaps) -> np.ndarray:
        """The largest foreground score of each pixel."""
        scores = maps.full_size_scores()[maps.keys > 0]
        return heatmap(scores.max(0), self.photo)

    def paint(self, labels: np.ndarray) -> np.ndarray:
        """Labels over the image."""
        return overlay(self.photo, labels, PALETTE)

    @cached_property
    def feature(self) -> Callable[[str], torch.Tensor]:
        """The last feature (1, C, h, w) of the demo's network, by image id."""
        config, (weights,) = (
            'configs/sipe/sipe_tiny_demo.py',
            (self.run / 'localizer').glob('*_600.pth'),
        )
        model = load_localizer(ROOT / config, weights)

        @torch.no_grad()
        def feature(name: str) -> torch.Tensor:
            pixels = torch.from_numpy(self.image(name).copy()).permute(2, 0, 1)[None].float()
            mean = pixels.mean((0, 2, 3), keepdim=True)
            return model.backbone((pixels - mean) / pixels.std())[-1]

        return feature


def cam(demo: Demo) -> list[Tile]:
    mask = RefinerChain([BackgroundThreshold(0.3)])(demo.cam)
    return [
        ('image', demo.photo),
        ('class map', demo.heat(demo.cam)),
        ('mask, threshold 0.3', demo.paint(mask)),
    ]


def sipe(demo: Demo) -> list[Tile]:
    background = heatmap(demo.maps.full_size_scores()[0], demo.photo)
    return [
        ('image', demo.photo),
        ('general CAM', demo.heat(demo.cam)),
        ('IS-CAM', demo.heat(demo.maps)),
        ('its background', background),
        ('mask, no threshold', demo.paint(demo.mask)),
    ]


def rpnet(demo: Demo) -> list[Tile]:
    names = (demo.name, demo.partner)
    features = [demo.feature(name).clamp(min=0) for name in names]
    confident = [confidence_map(f, peak='image') for f in features]
    regions = [region_prototype(f, (c > 0.5).float()) for f, c in zip(features, confident)]
    found = foreground_probability(features[0], torch.cat(regions)[None])
    return [
        ('image', demo.photo),
        ('another of its class', demo.image(demo.partner)),
        ('confidence', heatmap(confident[0][0, 0].numpy(), demo.photo)),
        ('like a prototype of either', heatmap((found / found.max())[0, 0].numpy(), demo.photo)),
    ]


def irnet(demo: Demo) -> list[Tile]:
    grey = np.asarray(Image.fromarray(demo.photo).convert('L'), np.float32)
    edges = gaussian_gradient_magnitude(grey, 1.5)
    small = Image.fromarray(edges / np.percentile(edges, 97)).resize(
        (GRID, GRID), Image.Resampling.BOX
    )
    edge = torch.from_numpy(np.clip(np.asarray(small), 0, 1))
    maps = torch.from_numpy(demo.maps.full_size_scores().astype(np.float32))[None]
    scores = torch.nn.functional.interpolate(maps, size=(GRID, GRID), mode='area')[0]
    walked = propagate(scores**1.5, edge, exp_times=5)
    walked = torch.nn.functional.interpolate(walked[None], size=demo.mask.shape, mode='bilinear')[
        0
    ].numpy()
    labels = demo.maps.keys[walked.argmax(0)]
    return [
        ('image', demo.photo),
        ('maps before', demo.heat(demo.maps)),
        ("edges: here the image's", heatmap(edge.numpy(), demo.photo)),
        ('maps walked', heatmap(walked[1:].max(0) / walked[1:].max(), demo.photo)),
        ('mask', demo.paint(labels)),
    ]


def dense_crf(demo: Demo) -> list[Tile]:
    clean = RefinerChain([DenseCRF(from_labels=True)])(demo.maps, demo.photo)
    return [
        ('image', demo.photo),
        ('mask before', demo.paint(demo.mask)),
        ('after the dense CRF', demo.paint(clean)),
        ('true mask, not used', demo.paint(demo.true)),
    ]


def par(demo: Demo) -> list[Tile]:
    spread = PixelAdaptiveRefinement()(demo.maps, demo.photo)
    return [
        ('image', demo.photo),
        ('maps before', demo.heat(demo.maps)),
        ('maps after PAR', demo.heat(spread)),
        ('mask', demo.paint(RefinerChain([])(spread))),
    ]


def segment_vote(demo: Demo) -> list[Tile]:
    found = slic(demo.photo, n_segments=60, start_label=0)
    segments = np.stack([found == i for i in np.unique(found)])
    borders = (mark_boundaries(demo.photo, found) * 255).astype(np.uint8)
    return [
        ('mask before', demo.paint(demo.mask)),
        ('superpixels', borders),
        ('after the vote', demo.paint(votes(demo.mask, segments))),
        ('true mask, not used', demo.paint(demo.true)),
    ]


def boxes(demo: Demo) -> list[Tile]:
    found = []
    for region in regionprops(label(np.where(demo.true == 255, 0, demo.true), connectivity=2)):
        y0, x0, y1, x1 = region.bbox
        found.append(Box(int(demo.true[tuple(region.coords[0])]), x0, y0, x1, y1))
    framed = Image.fromarray(demo.photo)
    for box in found:
        ImageDraw.Draw(framed).rectangle(box[1:], outline=(255, 255, 0), width=2)
    return [
        ('boxes', np.asarray(framed)),
        ('mask before', demo.paint(demo.mask)),
        ('held to the boxes', demo.paint(constrain_labels(demo.mask, found))),
    ]


def svm(demo: Demo) -> list[Tile]:
    labels = RefinerChain([SVMExpansion(n_samples=300)])(demo.maps, demo.photo, demo.name)
    return [
        ('image', demo.photo),
        ('maps', demo.heat(demo.maps)),
        ('mask before', demo.paint(demo.mask)),
        ('learnt from the surest, RGB', demo.paint(labels)),
    ]


def size_balanced(demo: Demo) -> list[Tile]:
    rows, columns = np.mgrid[:120, :160]
    labels = np.zeros((120, 160), np.int64)
    for y, x, radius in ((60, 50, 38), (35, 125, 14), (95, 135, 8)):
        labels[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
    weights = size_weights(torch.from_numpy(labels)[None], tau=20.0)[0].numpy()
    grey = np.full((120, 160, 3), 235, np.uint8)
    heat = heatmap(np.log(weights) / np.log(20), grey, alpha=1.0)
    return [
        ('three objects of a class', overlay(grey, labels, PALETTE)),
        ('weights, 1 to tau', heat),
    ]


def deeplabv2(demo: Demo) -> list[Tile]:
    name = 'val_0003'
    photo = demo.image(name)
    found = load_mask(demo.run / 'segmenter_score' / 'predictions' / f'{name}.png')
    return [
        ('a training image', demo.photo),
        ('its pseudo mask', demo.paint(demo.mask)),
        ('a new image', photo),
        ('prediction', overlay(photo, found, PALETTE)),
        ('true mask, not used', overlay(photo, demo.truth(name), PALETTE)),
    ]


METHODS = (
    cam,
    sipe,
    rpnet,
    irnet,
    dense_crf,
    par,
    segment_vote,
    boxes,
    svm,
    size_balanced,
    deeplabv2,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=ROOT / 'data' / 'demo')
    parser.add_argument('--run', type=Path, default=ROOT / 'work_dirs' / 'demo')
    parser.add_argument('--out', type=Path, default=OUT)
    parser.add_argument(
        '--images', nargs=2, default=('train_0003', 'train_0008'), help='an image and its partner'
    )
    parser.add_argument('--only', nargs='+', metavar='METHOD', help='some of the pictures')
    args = parser.parse_args()
    demo = Demo(args.data, args.run, *args.images)
    args.out.mkdir(parents=True, exist_ok=True)
    for method in METHODS:
        if args.only and method.__name__ not in args.only:
            continue
        picture = Image.fromarray(panel_image([method(demo)], tile_width=1.7, dpi=100))
        picture.save(args.out / f'{method.__name__}.jpg', quality=85, optimize=True)
        print(f'wrote {method.__name__}.jpg')


if __name__ == '__main__':
    main()
