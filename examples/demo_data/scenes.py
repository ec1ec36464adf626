"""The pictures of the demo dataset: objects with a distinctive part and a plain body.

Every object has a *distinctive part*, whose colour pattern belongs to its class alone, and a *plain
body*, painted with one of a few materials that all classes share. A classifier that learns from
image labels finds the part and has little reason to look at the body; the true mask holds both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ['BACKGROUNDS', 'BODY', 'CLASSES', 'PART', 'DemoItem', 'render_scene']

CLASSES = ('lantern', 'kite', 'beetle', 'teapot', 'umbrella')
BACKGROUNDS = ('sky', 'water', 'grass', 'wood', 'brick')
PART = 1
"""Value of the distinctive part in a part map."""
BODY = 2
"""Value of the plain body in a part map."""
IGNORE = 255

_SUPERSAMPLING = 3  # sub-pixels per pixel and axis when an object is drawn
_HABITATS = {'kite': 'sky', 'umbrella': 'water'}
_HABITAT_RATE = 0.7  # how often the first object of these classes brings its background along
_OBJECT_COUNT_RATES = (0.35, 0.3, 0.2, 0.15)  # one to four objects
_CLASS_COUNT_RATES = (0.35, 0.4, 0.25)  # one to three classes, as far as there are objects
# Half of an object's extent as a share of the image's shorter side (from, to), and its frequency.
_SIZES = {'small': (0.11, 0.17, 0.35), 'medium': (0.2, 0.34, 0.4), 'large': (0.45, 0.7, 0.25)}
_PLACEMENTS = 10  # tries per drawing of an object
_SHRINKS = (1.0, 0.75, 0.55)  # in a crowd, smaller drawings are tried in turn
_MIN_INSIDE = 0.7  # share of an object that must lie in the image
_MIN_PART = 0.1  # share of the visible object that must be its part
_MAX_HIDDEN = 0.4  # share of an object, and of its part, that nearer objects may hide
_MATERIALS = np.array(  # RGB; shared by all classes
    [[214, 203, 184], [150, 138, 128], [96, 92, 98], [176, 150, 124], [58, 54, 56]], np.float64
)

Array = np.ndarray
Mask = Callable[[Array, Array], Array]
Paint = Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class DemoItem:
    """One image with everything that is known about it.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) uint8 class ids, 0 = background, 1..5, 255 = rim.
        instances (np.ndarray): (H, W) uint8, 0 = background, 1..n from far to near, 255 = rim.
        parts (np.ndarray): (H, W) uint8, 0 = background, 1 = part, 2 = body, 255 = rim.
        background (str): Name of the background texture.
    """

    image: Array
    labels: Array
    instances: Array
    parts: Array
    background: str

    @property
    def class_ids(self) -> list[int]:
        """Sorted ids of the classes that have at least one pixel."""
        return [int(k) for k in np.unique(self.labels) if k not in (0, IGNORE)]


# ------------------------------------------------------------------------------------- textures


def _noise(rng: np.random.Generator, h: int, w: int, cell_y: float, cell_x: float) -> Array:
    """Smooth noise (h, w) with deviation near 1, whose blobs are ``cell_y`` x ``cell_x`` pixels."""
    rows, columns = max(2, round(h / cell_y)), max(2, round(w / cell_x))
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((w, h), Image.Resampling.BICUBIC), np.float64)


def _tint(base: tuple[int, int, int], shade: Array) -> Array:
    """(h, w, 3) of colour ``base`` with ``shade`` (h, w) grey levels added."""
    return np.asarray(base, np.float64) + shade[..., None]


def _sky(rng: np.random.Generator, h: int, w: int) -> Array:
    clouds = _noise(rng, h, w, 14, 30) + 0.6 * _noise(rng, h, w, 6, 10)
    share = np.clip(0.5 + 0.6 * clouds, 0, 1)[..., None]
    fall = np.linspace(-14, 14, h)[:, None] * np.ones(w)
    blue = _tint((134, 172, 205), fall)
    return blue * (1 - share) + np.array([226, 230, 234]) * share


def _water(rng: np.random.Generator, h: int, w: int) -> Array:
    y = np.arange(h)[:, None] + 3 * _noise(rng, h, w, 12, 40)
    waves = np.sin(2 * np.pi * y / rng.uniform(7, 11) + 0.8 * _noise(rng, h, w, 5, 16))
    return _tint((74, 128, 134), 20 * waves + 9 * _noise(rng, h, w, 2, 6))


def _grass(rng: np.random.Generator, h: int, w: int) -> Array:
    blades = _noise(rng, h, w, 6, 1.5) + 0.6 * _noise(rng, h, w, 20, 20)
    return _tint((104, 130, 74), 22 * blades)


def _wood(rng: np.random.Generator, h: int, w: int) -> Array:
    x = np.arange(w)[None, :] + 5 * _noise(rng, h, w, 50, 14)
    grain = np.sin(2 * np.pi * x / rng.uniform(6, 9)) + 0.7 * _noise(rng, h, w, 40, 2)
    seams = (np.arange(w) % 38 < 2)[None, :] * np.ones((h, 1))
    return _tint((150, 106, 70), 15 * grain - 45 * seams)


def _brick(rng: np.random.Generator, h: int, w: int) -> Array:
    y, x = np.mgrid[:h, :w] + rng.integers(0, 20, 2)[:, None, None]
    row = y // 11
    x = x + 11 * (row % 2)
    mortar = (y % 11 < 2) | (x % 22 < 2)
    tone = rng.standard_normal((64, 64))[row % 64, (x // 22) % 64]
    wall = _tint((166, 108, 92), 12 * tone + 8 * _noise(rng, h, w, 2, 2))
    return np.where(mortar[..., None], _tint((196, 186, 174), 6 * _noise(rng, h, w, 2, 2)), wall)


_TEXTURES = dict(zip(BACKGROUNDS, (_sky, _water, _grass, _wood, _brick)))


# --------------------------------------------------------------------------------------- shapes
# u grows to the right and v down; an object fills about [-1, 1] on its longer axis.


def _lantern(u: Array, v: Array) -> Array:
    glass = (np.abs(u) / 0.62) ** 4 + (np.abs(v - 0.08) / 0.8) ** 4 < 1
    cap = (np.abs(u) < 0.34) & (v > -0.88) & (v < -0.6)
    ring = np.abs(np.hypot(u, v + 0.9) - 0.14) < 0.055
    foot = (np.abs(u) < 0.42) & (v > 0.8) & (v < 0.98)
    return glass | cap | ring | foot


def _kite(u: Array, v: Array) -> Array:
    reach = np.where(v < -0.25, 0.75, 1.25)
    return np.abs(u) / 0.72 + np.abs(v + 0.25) / reach < 1


def _beetle(u: Array, v: Array) -> Array:
    shell = (u / 0.6) ** 2 + ((v - 0.02) / 0.92) ** 2 < 1
    side = np.abs(u)
    legs = np.zeros_like(shell)
    for foot in (-0.35, 0.12, 0.58):
        legs |= (np.abs(v - foot - 0.35 * (side - 0.5)) < 0.06) & (side > 0.4) & (side < 0.88)
    return shell | legs


def _teapot(u: Array, v: Array) -> Array:
    pot = (u / 0.62) ** 2 + ((v - 0.12) / 0.58) ** 2 < 1
    lid = ((u / 0.34) ** 2 + ((v + 0.42) / 0.16) ** 2 < 1) | (np.hypot(u, v + 0.62) < 0.1)
    handle = np.abs(np.hypot((u + 0.66) / 0.9, v - 0.08) - 0.27) < 0.075
    along = np.clip((u - 0.45) / 0.52, 0, 1)
    spout = (np.abs(v - 0.25 + 0.6 * along) < 0.18 - 0.1 * along) & (u > 0.45) & (u < 0.97)
    return pot | lid | (handle & (u < 0)) | spout


def _umbrella(u: Array, v: Array) -> Array:
    hem = 0.02 + 0.07 * np.abs(np.sin(2.5 * np.pi * u))
    canopy = (u**2 + ((v - 0.05) / 0.88) ** 2 < 1) & (v < hem)
    shaft = (np.abs(u) < 0.045) & (v >= 0) & (v < 0.8)
    hook = (np.abs(np.hypot(u - 0.12, v - 0.8) - 0.12) < 0.045) & (v > 0.78)
    return canopy | shaft | hook


def _mix(flag: Array, first: tuple[int, int, int], second: tuple[int, int, int]) -> Array:
    """(h, w, 3): colour ``first`` where ``flag``, ``second`` elsewhere."""
    return np.where(flag[..., None], np.float64(first), np.float64(second))


def _amber_bars(u: Array, v: Array, body: Array) -> Array:
    bars = np.abs(np.sin(np.pi * (u + v) / 0.24)) < 0.3
    return np.where(bars[..., None], body * 0.6, np.float64((250, 196, 40)))


def _red_checks(u: Array, v: Array, body: Array) -> Array:
    del body
    odd = (np.floor(u / 0.17) + np.floor(v / 0.17)) % 2 == 0
    return _mix(odd, (214, 34, 40), (246, 240, 236))


def _green_dots(u: Array, v: Array, body: Array) -> Array:
    dots = np.hypot((u + 0.08) % 0.24 - 0.12, v % 0.24 - 0.12) < 0.07
    return np.where(dots[..., None], body * 0.5, np.float64((40, 196, 96)))


def _blue_waves(u: Array, v: Array, body: Array) -> Array:
    wave = np.sin(2 * np.pi * (v / 0.2 + 0.35 * np.sin(2 * np.pi * u / 0.5))) > -0.1
    return np.where(wave[..., None], np.float64((34, 70, 214)), 0.5 * body + 120)


def _magenta_rays(u: Array, v: Array, body: Array) -> Array:
    rays = np.sin(14 * np.arctan2(u, 0.3 - v)) > -0.2
    return np.where(rays[..., None], np.float64((214, 44, 180)), 0.5 * body + 110)


@dataclass(frozen=True)
class _Kind:
    """How the objects of one class look: outline, where the part lies and how it is painted."""

    outline: Mask
    part: Mask
    paint: Paint
    tilt: float  # largest turn from upright, in degrees


_KINDS = {
    'lantern': _Kind(_lantern, lambda u, v: (v > 0.34) & (v < 0.7), _amber_bars, 20),
    'kite': _Kind(_kite, lambda u, v: v > 0.28, _red_checks, 180),
    'beetle': _Kind(_beetle, lambda u, v: (v < -0.42) & (np.abs(u) < 0.6), _green_dots, 180),
    'teapot': _Kind(
        _teapot, lambda u, v: (v > 0.03) & (v < 0.27) & (np.abs(u) < 0.6), _blue_waves, 20
    ),
    'umbrella': _Kind(_umbrella, lambda u, v: v < -0.53, _magenta_rays, 30),
}


# --------------------------------------------------------------------------------------- scenes


@dataclass(frozen=True)
class _Sprite:
    """One object drawn on the image's grid: coverage, part coverage in 0..1 and colours."""

    class_id: int
    alpha: Array  # (H, W)
    part_alpha: Array  # (H, W)
    colour: Array  # (H, W, 3)
    inside: float  # share of the object that lies in the image

    @property
    def mask(self) -> Array:
        """(H, W) bool: pixels of which the object covers at least half."""
        return self.alpha >= 0.5

    @property
    def part(self) -> Array:
        """(H, W) bool: the pixels of the mask that belong to the distinctive part."""
        return self.mask & (self.part_alpha >= 0.5 * self.alpha)

    @property
    def is_recognisable(self) -> bool:
        """Whether enough of the object, and of its part, lies in the image."""
        enough = self.part.sum() >= max(1, _MIN_PART * self.mask.sum())
        return self.inside >= _MIN_INSIDE and bool(enough)


def _block_mean(values: Array, step: int) -> Array:
    """Mean over ``step`` x ``step`` blocks of an (h * step, w * step, ...) array."""
    h, w = values.shape[0] // step, values.shape[1] // step
    return values.reshape(h, step, w, step, *values.shape[2:]).mean(axis=(1, 3))


def _material(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Colours of a plain body: one shared material under light from a random side."""
    base = _MATERIALS[rng.integers(len(_MATERIALS))] + rng.uniform(-12, 12, 3)
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 + 0.16 * (u * np.cos(angle) + v * np.sin(angle))
    return base * light[..., None]


@dataclass(frozen=True)
class _Drawing:
    """One object on a square window of its own, in the middle of it."""

    class_id: int
    alpha: Array  # (n, n)
    part_alpha: Array  # (n, n)
    colour: Array  # (n, n, 3)

    def placed(self, top: int, left: int, shape: tuple[int, int]) -> _Sprite:
        """The object on an image of ``shape`` with its window's corner at (top, left)."""
        alpha = _paste(self.alpha, top, left, shape)
        return _Sprite(
            class_id=self.class_id,
            alpha=alpha,
            part_alpha=_paste(self.part_alpha, top, left, shape),
            colour=_paste(self.colour, top, left, shape),
            inside=float(alpha.sum() / self.alpha.sum()),
        )


def _draw_object(rng: np.random.Generator, class_id: int, size: float) -> _Drawing:
    """Draw an object of half extent ``size`` pixels with a random turn, material and light."""
    kind = _KINDS[CLASSES[class_id - 1]]
    shift = rng.uniform(-0.5, 0.5, 2)  # of the centre, in pixels
    turn = np.deg2rad(rng.uniform(-kind.tilt, kind.tilt))
    mirror = 1 if rng.random() < 0.5 else -1
    squeeze = rng.uniform(0.85, 1.0)

    reach = int(np.ceil(1.1 * size)) + 1
    sub = (np.arange((2 * reach + 1) * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING - reach - 0.5
    dy, dx = (sub - shift[0])[:, None] / size, (sub - shift[1])[None, :] / size
    u = mirror * (np.cos(turn) * dx + np.sin(turn) * dy) / squeeze
    v = -np.sin(turn) * dx + np.cos(turn) * dy

    solid = kind.outline(u, v)
    part = solid & kind.part(u, v)
    rim = solid & ~kind.outline(1.06 * u, 1.06 * v)
    body = _material(rng, u, v) * np.where(rim, 0.7, 1.0)[..., None]
    glow = rng.uniform(0.85, 1.1)
    colour = np.where(part[..., None], glow * kind.paint(u, v, body), body)

    alpha = _block_mean(solid, _SUPERSAMPLING)
    weighted = _block_mean(colour * solid[..., None], _SUPERSAMPLING)
    return _Drawing(
        class_id=class_id,
        alpha=alpha,
        part_alpha=_block_mean(part, _SUPERSAMPLING),
        colour=weighted / np.maximum(alpha, 1e-6)[..., None],
    )


def _paste(window: Array, top: int, left: int, shape: tuple[int, int]) -> Array:
    """The (H, W, ...) canvas of zeros with ``window`` at (top, left), cut at the canvas' edge."""
    canvas = np.zeros(shape + window.shape[2:])
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + window.shape[0], shape[0]), min(left + window.shape[1], shape[1])
    if y0 < y1 and x0 < x1:
        canvas[y0:y1, x0:x1] = window[y0 - top : y1 - top, x0 - left : x1 - left]
    return canvas


def _hides_too_much(sprites: list[_Sprite], new: _Sprite) -> bool:
    """Whether ``new`` in front would leave too little of an object, or of its part, in sight."""
    covers = [*(sprite.mask for sprite in sprites[1:]), new.mask]
    for index, sprite in enumerate(sprites):
        front = np.logical_or.reduce(covers[index:])
        for region in (sprite.mask, sprite.part):
            if (region & front).sum() > _MAX_HIDDEN * region.sum():
                return True
    return False


def _choose_objects(rng: np.random.Generator, first: int) -> list[tuple[int, str]]:
    """(class id, size name) of each wanted object, from far (large) to near (small)."""
    count = int(rng.choice((1, 2, 3, 4), p=_OBJECT_COUNT_RATES))
    kinds = min(count, int(rng.choice((1, 2, 3), p=_CLASS_COUNT_RATES)))
    others = rng.permutation([k for k in range(1, len(CLASSES) + 1) if k != first])
    classes = [first, *(int(k) for k in others[: kinds - 1])]
    classes += [int(k) for k in rng.choice(classes, count - kinds)]
    names = list(_SIZES)
    sizes = [names[i] for i in rng.choice(3, count, p=[_SIZES[name][2] for name in names])]
    if sizes.count('large') > 1:  # one object may fill the image, the others stay visible
        at = sizes.index('large')
        sizes = ['medium' if s == 'large' and i != at else s for i, s in enumerate(sizes)]
    return sorted(zip(classes, sizes), key=lambda item: -names.index(item[1]))


def _place_objects(
    rng: np.random.Generator, wanted: list[tuple[int, str]], shape: tuple[int, int]
) -> list[_Sprite]:
    """Draw the wanted objects; one that finds no place within some tries is left out."""
    sprites: list[_Sprite] = []
    for class_id, size_name in wanted:
        low, high, _ = _SIZES[size_name]
        size = rng.uniform(low, high) * min(shape)
        for shrink in _SHRINKS:
            drawing = _draw_object(rng, class_id, shrink * size)
            sprite = _find_place(rng, drawing, sprites, shape)
            if sprite is not None:
                sprites.append(sprite)
                break
    return sprites


def _find_place(
    rng: np.random.Generator, drawing: _Drawing, behind: list[_Sprite], shape: tuple[int, int]
) -> _Sprite | None:
    """Put the object where it can be recognised and hides little; None if no try succeeds."""
    for _ in range(_PLACEMENTS):
        centre = rng.uniform(0.02, 0.98, 2) * shape
        top, left = (int(n) - len(drawing.alpha) // 2 for n in centre)
        sprite = drawing.placed(top, left, shape)
        if sprite.is_recognisable and not _hides_too_much(behind, sprite):
            return sprite
    return None


def _rim_of(instances: Array, width: int) -> Array:
    """(H, W) bool: pixels within ``width`` 4-neighbour steps of a nearer instance."""
    nearest = instances.astype(np.int64)
    for _ in range(width):
        padded = np.pad(nearest, 1)
        around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        nearest = np.maximum(nearest, np.maximum.reduce(around))
    return nearest > instances


def render_scene(
    rng: np.random.Generator, first_class: int, min_size: int, max_size: int, border: int
) -> DemoItem:
    """Draw one image with its label maps.

    Args:
        rng (np.random.Generator): Where everything random comes from.
        first_class (int): Id of a class to show, 1..5; others may join it.
        min_size (int): Smallest height and width in pixels.
        max_size (int): Largest height and width in pixels.
        border (int): Width in pixels of the rim of 255 around objects. It is taken from what lies
            behind an object, never from the object itself.

    Returns:
        DemoItem: The picture with labels, instances and parts.
    """
    h, w = (int(n) for n in rng.integers(min_size, max_size + 1, 2))
    wanted = _choose_objects(rng, first_class)
    background = str(rng.choice(BACKGROUNDS))
    habitat = _HABITATS.get(CLASSES[first_class - 1])
    if habitat is not None and rng.random() < _HABITAT_RATE:
        background = habitat
    canvas = _TEXTURES[background](rng, h, w) * rng.uniform(0.85, 1.1) + rng.uniform(-8, 8, 3)

    instances = np.zeros((h, w), np.uint8)
    labels, parts = instances.copy(), instances.copy()
    for number, sprite in enumerate(_place_objects(rng, wanted, (h, w)), 1):
        alpha = sprite.alpha[..., None]
        canvas = canvas * (1 - alpha) + sprite.colour * alpha
        instances[sprite.mask] = number
        labels[sprite.mask] = sprite.class_id
        parts[sprite.mask] = BODY
        parts[sprite.part] = PART
    rim = _rim_of(instances, border)
    for target in (instances, labels, parts):
        target[rim] = IGNORE
    canvas = canvas + rng.normal(0, 3, canvas.shape)
    image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return DemoItem(image, labels, instances, parts, background)
