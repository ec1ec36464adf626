from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from tests.oracles.recam import balanced_loop
from tests.processes import mean_of_processes

LABELS = torch.tensor([[1.0, 0, 1], [0, 1, 0]])


def build(**kwargs):
    torch.manual_seed(0)
    cfg = dict(type='AMNHead', num_classes=3, in_channels=6, dilations=(1, 2))
    return MODELS.build({**cfg, **kwargs})


def plain_logits(head, feature):
    """Feature times embedding, then the sum of dilated convolutions, written out."""
    weight, bias = head.embedding.weight, head.embedding.bias
    gate = torch.stack([weight @ label + bias for label in LABELS])
    gated = feature * gate[:, :, None, None]
    first, second = head.aspp
    one = F.conv2d(gated, first.weight, first.bias, padding=1)
    return one + F.conv2d(gated, second.weight, second.bias, padding=2, dilation=2)


@pytest.mark.parametrize('options', [{}, {'label_smoothing': 0.1}])
def test_loss_is_the_balanced_one_on_masks_of_the_features_size(options):
    head, feature = build(**options), torch.rand(2, 6, 4, 5)
    masks = torch.tensor([0, 1, 3, 255])[torch.randint(4, (2, 16, 20))]
    samples = []
    for label, mask in zip(LABELS, masks):
        sample = SegDataSample(gt_sem_seg=PixelData(data=mask[None]))
        sample.gt_label = label
        samples.append(sample)
    losses = head.loss([feature], samples, (16, 20))
    corners = masks[:, ::4, ::4].numpy()  # the cells' first pixels
    logits = plain_logits(head, feature).detach().numpy()
    wanted = balanced_loop(logits, corners, options.get('label_smoothing', 0.4))
    assert losses['loss_pixel'].item() == pytest.approx(wanted, abs=1e-5)
    losses['loss_pixel'].backward()
    assert all(p.grad.abs().max() > 0 for p in head.parameters())
    del samples[1].gt_sem_seg
    samples[1].set_metainfo(dict(img_id='b'))
    with pytest.raises(ValueError, match="image 'b': AMNHead is trained on masks"):
        head.loss([feature], samples, (16, 20))


def test_maps_are_probabilities_under_the_labels():
    head, feature = build(), torch.rand(2, 6, 4, 5)
    maps = head.maps(head([feature], LABELS), LABELS)
    logits = plain_logits(head, feature)
    wanted = logits.softmax(dim=1)[:, 1:] * LABELS[:, :, None, None]
    torch.testing.assert_close(maps, wanted)
    odds = logits.softmax(dim=1)[:, 1:]
    odds = (odds / (1 - odds)).log()
    outputs = head([feature], LABELS)
    torch.testing.assert_close(outputs['cam_logits'], odds)
    torch.testing.assert_close(head.class_logits(outputs), odds.amax(dim=(2, 3)))
    with torch.no_grad():
        head.aspp[0].bias += 5  # the loss knows no common shift of the logits
    torch.testing.assert_close(head([feature], LABELS)['cam_logits'], odds)
    everything = head([feature])  # as for an image whose label is not known
    torch.testing.assert_close(everything['scores'], head([feature], 0 * LABELS + 1)['scores'])


def test_two_processes_have_the_loss_of_the_whole_batch():
    head, feature = build(), torch.rand(2, 6, 4, 5)
    masks = torch.tensor([0, 1, 255])[torch.randint(3, (2, 16, 20))]
    masks[0] = 0
    samples = []
    for label, mask in zip(LABELS, masks):
        samples.append(SegDataSample(gt_sem_seg=PixelData(data=mask[None])))
        samples[-1].gt_label = label
    whole = head.loss([feature], samples, (16, 20))['loss_pixel']
    parts = [([feature[n : n + 1]], samples[n : n + 1], (16, 20)) for n in range(2)]
    torch.testing.assert_close(mean_of_processes(head.loss, parts)['loss_pixel'], whole)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match='smallest of dilations'):
        build(dilations=())
    with pytest.raises(ValueError, match=r'label_smoothing must lie in \[0, 1\]'):
        build(label_smoothing=2)


def test_probabilities_do_not_know_the_label_that_the_maps_are_given():
    model = MODELS.build(
        dict(
            type='ImageLevelClassifier',
            backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
            head=dict(type='AMNHead', num_classes=3, in_channels=32, dilations=(1, 2)),
        )
    ).eval()
    torch.nn.init.normal_(model.head.embedding.weight, std=20.0)
    image = torch.rand(3, 64, 64)
    (one, _, first), (other, _, second) = (model.class_maps(image, label) for label in LABELS)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(model.class_maps(image)[0], one)
    gated = model.head(model.extract_feat(image[None]), LABELS[:1])
    assert (model.head.class_logits(gated).sigmoid()[0] - one).abs().max() > 1e-3
    assert first.shape != second.shape
