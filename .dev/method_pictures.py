"""Make the pictures in docs/images/methods: what a method gets, what it changes, what comes out.

All are of the generated demo images. Most take the networks of `make demo`, which must have been run; a
step without a network is shown on a stand-in that the title names. SEAM, ReCAM, AMN, MCTformer+, DINOv2 and
WeCLIP take what `mmwsss train` left of their `*_tiny_demo.py`, CLIP-ES the file of `.dev/clip_demo.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_gradient_magnitude
from skimage.measure import label, regionprops
from skimage.segmentation import mark_boundaries, slic

from generated_pages import ROOT
from mmwsss.apis import class_maps, load_localizer, load_model, segment_images
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.functional import propagate, size_weights
from mmwsss.functional.boxes import Box, constrain_labels
from mmwsss.functional.multi_scale import resize_image
from mmwsss.functional.rpnet import confidence_map, foreground_probability, region_prototype
from mmwsss.functional.segment_vote import segment_vote as votes
from mmwsss.io import ClassMaps, load_class_maps, load_mask, read_lines, voc_palette
from mmwsss.models.classifiers.clip_es import CLIPESLocalizer, text_maps
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
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
# The demo's CLIP is sure about images of one class only: the one of 200 whose mask is best.
BEST = {'clip_es': 'train_0193', 'weclip': 'train_0193'}
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
        self.classes = read_lines(data / 'classes.txt')
        self.labels = [self.classes[i - 1] for i in np.unique(self.true) if 0 < i < 255]

    @cached_property
    def cam(self) -> ClassMaps:
        """CAM's maps of the image."""
        return load_class_maps(self.run / 'cam' / f'{self.name}.npz')

    @cached_property
    def maps(self) -> ClassMaps:
        """SIPE's maps of the image."""
        return load_class_maps(self.run / 'maps' / f'{self.name}.npz')

    @cached_property
    def mask(self) -> np.ndarray:
        """The mask that was made of them."""
        return load_mask(self.run / 'masks' / f'{self.name}.png')

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

    def heat_of(self, scores: torch.Tensor) -> np.ndarray:
        """The largest score (1, K, h, w) of the image's classes, each brought to peak 1."""
        chosen = scores[0, [self.classes.index(label) for label in self.labels]]
        return heatmap(peaked(chosen), self.photo)

    def paint(self, labels: np.ndarray) -> np.ndarray:
        """Labels over the image."""
        return overlay(self.photo, labels, PALETTE)

    @cached_property
    def clip_es(self) -> CLIPESLocalizer:
        """CLIP-ES with the small CLIP of the demo."""
        config = ROOT / 'configs/clip_es/clip_es_tiny_demo.py'
        return load_localizer(config, ROOT / 'work_dirs/clip_demo.pth')

    def network(self, name: str) -> Any:
        """What `mmwsss train` made of a config of the demo."""
        folder = ROOT / 'work_dirs' / f'{name}_tiny_demo'
        weights = (folder / 'last_checkpoint').read_text().strip()
        return load_model(folder / f'{name}_tiny_demo.py', folder / Path(weights).name)

    def seen_by(self, model: ImageLevelClassifier) -> torch.Tensor:
        """The image (1, 3, H, W) as a network takes it."""
        pixels = torch.from_numpy(self.photo.copy()).permute(2, 0, 1)[None].float()
        return (pixels - model.data_preprocessor.mean) / model.data_preprocessor.std

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


def peaked(scores: torch.Tensor) -> np.ndarray:
    """The largest of scores (K, h, w), each brought to peak 1."""
    peaks = scores.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    largest: np.ndarray = (scores / peaks).amax(dim=0).numpy()
    return largest


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


@torch.no_grad()
def seam(demo: Demo) -> list[Tile]:
    model = demo.network('seam')
    image = demo.seen_by(model)
    found = model.head(model.extract_feat(image))
    half = resize_image(image[0], [side // 2 for side in image.shape[2:]])[None]
    small = model.head(model.extract_feat(half))
    everything = image.new_ones((1, len(demo.classes)))
    return [
        ('image', demo.photo),
        ('class map', demo.heat_of(found['cam_logits'].clamp(min=0))),
        ('of its small view', demo.heat_of(small['cam_logits'].clamp(min=0))),
        ('spread by likeness', demo.heat_of(model.head.maps(found, everything))),
        ('true mask, not used', demo.paint(demo.true)),
    ]


def recam(demo: Demo) -> list[Tile]:
    before = class_maps(demo.network('cam'), demo.photo, demo.labels)
    after = class_maps(demo.network('recam'), demo.photo, demo.labels)
    return [
        ('image', demo.photo),
        ('CAM', demo.heat(before)),
        ('ReCAM', demo.heat(after)),
        ('mask, threshold 0.3', demo.paint(RefinerChain([BackgroundThreshold(0.3)])(after))),
        ('true mask, not used', demo.paint(demo.true)),
    ]


def amn(demo: Demo) -> list[Tile]:
    labels = load_mask(ROOT / 'work_dirs' / 'amn_tiny_demo_labels' / f'{demo.name}.png')
    before = class_maps(demo.network('cam'), demo.photo, demo.labels)
    after = class_maps(demo.network('amn'), demo.photo, demo.labels)
    return [
        ('image', demo.photo),
        ('CAM', demo.heat(before)),
        ('sure pixels, cream: none', demo.paint(labels)),
        ('AMN, trained on those', demo.heat(after)),
        ('mask, threshold 0.25', demo.paint(RefinerChain([BackgroundThreshold(0.25)])(after))),
        ('true mask, not used', demo.paint(demo.true)),
    ]


@torch.no_grad()
def mctformer(demo: Demo) -> list[Tile]:
    model = demo.network('mctformer')
    feats = model.extract_feat(demo.seen_by(model))
    attention = feats[2][:, -model.head.attention_layers :].mean(dim=1)
    found = model.head(feats)
    return [
        ('image', demo.photo),
        ('attention of class tokens', demo.heat_of(attention)),
        ('map of the patches', demo.heat_of(found['cam_logits'].clamp(min=0))),
        ('both, spread', demo.heat_of(found['cam'])),
        ('true mask, not used', demo.paint(demo.true)),
    ]


@torch.no_grad()
def dinov2(demo: Demo) -> list[Tile]:
    model = demo.network('cam_dinov2')
    tokens = model.extract_feat(demo.seen_by(model))[-1][0]  # (C, h, w)
    flat = tokens.flatten(1).T
    parts = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)[0][:, :3]
    low, high = parts.quantile(0.02, dim=0), parts.quantile(0.98, dim=0)
    colours = ((parts - low) / (high - low)).clamp(0, 1).view(*tokens.shape[1:], 3).numpy()
    size = (demo.photo.shape[1], demo.photo.shape[0])
    picture = Image.fromarray((colours * 255).astype(np.uint8)).resize(
        size, Image.Resampling.NEAREST
    )
    return [
        ('image', demo.photo),
        ("tokens' first components", np.asarray(picture)),
        ('CAM on the tokens', demo.heat(class_maps(model, demo.photo, demo.labels))),
        ('true mask, not used', demo.paint(demo.true)),
    ]


def clip_es(demo: Demo) -> list[Tile]:
    model = demo.clip_es
    ((view, _),) = model._views(demo.seen_by(model)[0])
    tokens, _, grid = model._frozen_blocks(view)
    channels = torch.tensor([demo.classes.index(label) for label in demo.labels])
    asked = text_maps(model.backbone, model.head, tokens, grid, channels)[0]
    maps = class_maps(model, demo.photo, demo.labels)
    return [
        ('image', demo.photo),
        ('gradient of the answers', heatmap(peaked(asked), demo.photo)),
        ('spread by attention', demo.heat(maps)),
        ('mask', demo.paint(RefinerChain([])(maps))),
        ('true mask, not used', demo.paint(demo.true)),
    ]


def weclip(demo: Demo) -> list[Tile]:
    maps = class_maps(demo.clip_es, demo.photo, demo.labels)
    label = RefinerChain([PixelAdaptiveRefinement(iterations=10)])(maps, demo.photo)
    (found,) = segment_images(demo.network('weclip'), demo.data / 'JPEGImages' / f'{demo.name}.jpg')
    return [
        ('image', demo.photo),
        ("CLIP-ES's maps", demo.heat(maps)),
        ('label made of them', demo.paint(label)),
        ('what the decoder says', demo.paint(found.mask)),
        ('true mask, not used', demo.paint(demo.true)),
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
    seam,
    recam,
    amn,
    mctformer,
    dinov2,
    clip_es,
    weclip,
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
    name, partner = args.images
    args.out.mkdir(parents=True, exist_ok=True)
    for method in METHODS:
        if args.only and method.__name__ not in args.only:
            continue
        demo = Demo(args.data, args.run, BEST.get(method.__name__, name), partner)
        picture = Image.fromarray(panel_image([method(demo)], tile_width=1.7, dpi=100))
        picture.save(args.out / f'{method.__name__}.jpg', quality=85, optimize=True)
        print(f'wrote {method.__name__}.jpg')


if __name__ == '__main__':
    main()
