"""A trained model as an ONNX file, from photo to logits or maps: what ``tools/export_onnx.py`` runs."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor, nn
from torch.export import Dim

from mmwsss.functional.checks import check_range
from mmwsss.functional.multi_scale import fuse_scales
from mmwsss.io import atomic_path
from mmwsss.models.classifiers.clip_es import CLIPESLocalizer
from mmwsss.models.classifiers.image_level import ImageLevelClassifier

__all__ = ['ExportedModel', 'Parity', 'compare_onnx', 'export_onnx']

# Height and width; nothing that a model could take for a special case. The second shows what tracing kept.
TRACED_SIZE, OTHER_SIZE = (163, 221), (251, 342)
MAX_CHANGED = 0.01


class ExportedModel(nn.Module):
    """The computation that an ONNX file holds: one photo, RGB 0..255, at its own size.

    Normalisation is inside. Scales other than 1, refiners and ``slide`` prediction are not.

    Args:
        model: From :func:`mmwsss.apis.load_model`.

    Attributes:
        inputs: Names of the inputs: ``image``, float32 (1, 3, H, W), and of a localizer ``labels``,
            float32 (1, K), ones for the classes in the image.
        outputs: Names of the outputs. Of a segmenter ``logits`` (1, K, H, W). Of a localizer ``maps``
            (K, h, w) in [0, 1), with the background first where the method has one and at its
            ``test_cfg.stride``, each with the mirrored view if ``test_cfg.flip`` says so; and
            ``scores`` (K,), the probabilities of the classes, which do not depend on ``labels``.

    Raises:
        ValueError: The segmenter predicts in windows, or its test images are padded; or the localizer's maps
            are gradients (CLIP-ES).
    """

    def __init__(self, model: ImageLevelClassifier | BaseSegmentor) -> None:
        super().__init__()
        self.model = model
        self.is_localizer = isinstance(model, ImageLevelClassifier)
        if isinstance(model, CLIPESLocalizer):
            raise ValueError("CLIP-ES's maps are gradients, which ONNX does not have")
        if not self.is_localizer:
            mode = (model.test_cfg or {}).get('mode', 'whole')
            padding = getattr(model.data_preprocessor, 'test_cfg', None)
            if mode != 'whole' or padding:
                raise ValueError(
                    "ONNX export takes segmenters with test_cfg.mode='whole' and without "
                    f'data_preprocessor.test_cfg, but got {mode!r} and {padding}'
                )
        self.inputs = ['image', 'labels'] if self.is_localizer else ['image']
        self.outputs = ['maps', 'scores'] if self.is_localizer else ['logits']

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Any:
        """Logits of a segmenter; maps and scores of a localizer."""
        preprocessor = self.model.data_preprocessor
        names = ('_channel_conversion', 'channel_conversion')  # newer and older mmseg
        if not any(getattr(preprocessor, name, False) for name in names):
            image = image.flip(1)  # the model takes BGR
        image = (image - getattr(preprocessor, 'mean', 0.0)) / getattr(preprocessor, 'std', 1.0)
        if self.is_localizer:
            return self._maps(image, labels)
        height, width = image.shape[2:]
        return self.model.encode_decode(image, [{'img_shape': (height, width)}])

    def _maps(self, image: Tensor, labels: Any) -> tuple[Tensor, Tensor]:
        model = self.model
        views = torch.cat([image, image.flip(-1)]) if model.test_cfg['flip'] else image
        maps, logits = model.view_maps(model.extract_feat(views), labels)
        stride = model.test_cfg['stride']
        height, width = (-(-side // stride) for side in image.shape[2:])
        return fuse_scales([maps], (height, width)), logits.sigmoid()


def export_onnx(
    model: ImageLevelClassifier | BaseSegmentor,
    path: str | Path,
    size: tuple[int, int] | None = None,
) -> ExportedModel:
    """Write a model as an ONNX file, whole or not at all.

    The file's metadata hold ``classes``, a JSON list.

    Args:
        model: From :func:`mmwsss.apis.load_model`.
        path: The file to write.
        size: Height and width that images will have. None: any.

    Returns:
        What the file computes, for comparison.

    Raises:
        ImportError: ``onnx`` or ``onnxscript`` is missing.
        IsADirectoryError: ``path`` is a folder.
        ValueError: See :class:`ExportedModel`; ``size`` is less than 1; or the model cannot be exported, or
            not for any size, which is tried where ``onnxruntime`` is installed.
    """
    require_packages('onnx', 'onnxscript')
    for side in size or ():
        check_range('size', side, '[1, inf)')
    if Path(path).is_dir():
        raise IsADirectoryError(f'the ONNX file to write is a folder: {path}')
    exported = ExportedModel(model).cpu().eval()
    example = example_inputs(exported, size or TRACED_SIZE)
    free = {2: Dim.DYNAMIC, 3: Dim.DYNAMIC} if size is None else None
    shapes = dict(zip(exported.inputs, (free, None))) if free else None
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of packages that no model of ours needs
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')
            program: Any = torch.onnx.export(
                exported,
                tuple(example.values()),
                input_names=exported.inputs,
                output_names=exported.outputs,
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        advice = '; with --size HEIGHT WIDTH it may' if size is None else ''
        raise ValueError(
            f'{type(model).__name__} cannot be exported as ONNX{advice}: {first_words(error)}'
        ) from error
    finally:
        logger.setLevel(level)
    program.model.metadata_props['classes'] = json.dumps(list(model.dataset_meta['classes']))
    with atomic_path(path) as temporary:
        program.save(temporary)
        if size is None and importlib.util.find_spec('onnxruntime'):
            check_other_size(temporary, exported)
    return exported


def check_other_size(path: Path, exported: ExportedModel) -> None:
    """``ValueError`` if the file computes something else on images of another size than the traced one."""
    noise = np.random.default_rng(0).integers(0, 256, (*OTHER_SIZE, 3), np.uint8)
    try:
        changed = compare_onnx(path, exported, noise).changed
        found = f'{changed:.0%} of pixels change on another size than that of the export'
    except ValueError as error:
        changed, found = 1.0, str(error)
    if changed > MAX_CHANGED:
        raise ValueError(
            f'{type(exported.model).__name__} cannot be exported for any size ({found}): give --size '
            'HEIGHT WIDTH'
        )


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime is from PyTorch on one image.

    Attributes:
        size: Height and width of the image.
        difference: Largest difference of logits (of a segmenter) or maps (of a localizer).
        changed: Share of pixels in 0..1 whose best class is another one.
    """

    size: tuple[int, int]
    difference: float
    changed: float


def compare_onnx(path: str | Path, exported: ExportedModel, image: np.ndarray) -> Parity:
    """Run a file in ONNX Runtime, on the CPU, and compare it with what it was made from.

    Args:
        path: The file.
        exported: What :func:`export_onnx` returned.
        image: RGB uint8 (H, W, 3). All classes are asked of a localizer.

    Raises:
        ImportError: ``onnxruntime`` is missing.
        ValueError: The model or its file does not take images of this size.
    """
    require_packages('onnxruntime')
    import onnxruntime  # optional

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    height, width = image.shape[:2]
    inputs = example_inputs(exported, (height, width))
    inputs['image'] = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    names = {name: value.numpy() for name, value in inputs.items()}
    try:
        with torch.no_grad():
            wanted = exported(*inputs.values())[0].numpy()  # the maps, or the logits of the image
        got = session.run(exported.outputs[:1], names)[0].reshape(wanted.shape)
    except Exception as error:
        raise ValueError(
            f'an image of {height} x {width} cannot be compared: {first_words(error)}'
        ) from error
    changed = float((wanted.argmax(0) != got.argmax(0)).mean())
    return Parity((height, width), float(np.abs(wanted - got).max()), changed)


def example_inputs(exported: ExportedModel, size: Sequence[int]) -> dict[str, Tensor]:
    """An image of noise, and labels of all classes for a localizer."""
    generator = torch.Generator().manual_seed(0)
    image = 255 * torch.rand((1, 3, *size), generator=generator)
    if not exported.is_localizer:
        return {'image': image}
    return {'image': image, 'labels': torch.ones(1, exported.model.head.num_classes)}


def require_packages(*names: str) -> None:
    """``ImportError`` that says what to install, if a package is missing."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f'{" and ".join(missing)} must be installed: pip install "mmwsss[onnx]"')


def first_words(error: BaseException) -> str:
    """The first line of the error at the root of others."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
