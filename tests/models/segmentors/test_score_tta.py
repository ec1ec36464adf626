from __future__ import annotations

import gc
import weakref

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.models.segmentors import ScoreTTAModel

VIEWS, IMAGES, SIZE = 5, 2, (3, 7, 9)


class Views(nn.Module):
    """Predicts given logits, and counts how many of them are alive when it is asked for more."""

    out_channels = SIZE[0]

    def __init__(self) -> None:
        super().__init__()
        self.made: list[weakref.ref] = []
        self.most = 0

    def test_step(self, data: dict) -> list[SegDataSample]:
        gc.collect()
        self.most = max(self.most, sum(ref() is not None for ref in self.made))
        samples = []
        for logits, sample in zip(*data.values()):
            logits = logits.clone()
            self.made.append(weakref.ref(logits))
            sample = sample.clone()
            sample.seg_logits = PixelData(data=logits)
            sample.pred_sem_seg = PixelData(data=logits.argmax(dim=0, keepdim=True))
            samples.append(sample)
        return samples


def batch() -> dict:
    """Inputs that are the logits, as the loader of a TestTimeAug pipeline gives them."""
    generator = torch.Generator().manual_seed(0)
    inputs = [
        [4 * torch.randn(SIZE, generator=generator) for _ in range(IMAGES)] for _ in range(VIEWS)
    ]
    samples = []
    for view in range(VIEWS):
        samples.append([])
        for image in range(IMAGES):
            one = SegDataSample(metainfo=dict(img_path=f'{image}.png', flip=bool(view % 2)))
            one.gt_sem_seg = PixelData(data=torch.full((1, *SIZE[1:]), image))
            samples[-1].append(one)
    return dict(inputs=inputs, data_samples=samples)


def build() -> ScoreTTAModel:
    return MODELS.build(dict(type='ScoreTTAModel', module=Views()))


def test_scores_are_the_mean_of_all_views():
    data, model = batch(), build()
    found = model.test_step(data)
    assert len(found) == IMAGES
    for image, one in enumerate(found):
        views = torch.stack([view[image] for view in data['inputs']]).double()
        want = views.softmax(dim=1).mean(dim=0)
        scores = one.seg_logits.data.softmax(dim=0)
        torch.testing.assert_close(scores.double(), want, atol=1e-6, rtol=0)
        assert torch.equal(one.pred_sem_seg.data[0], want.argmax(dim=0))
        assert (one.gt_sem_seg.data == image).all()
        assert one.img_path == f'{image}.png'


def test_labels_and_samples_are_those_of_mmseg():
    data = batch()
    theirs = SegTTAModel(module=Views()).test_step(data)
    for ours, sample in zip(build().test_step(data), theirs):
        assert torch.equal(ours.pred_sem_seg.data, sample.pred_sem_seg.data)
        assert ours.metainfo == sample.metainfo
        assert set(ours.keys()) == set(sample.keys())


def test_one_view_is_held_at_a_time():
    model = build()
    model.test_step(batch())
    assert len(model.module.made) == VIEWS * IMAGES
    assert model.module.most == 0  # only sums are left when the next view is predicted
