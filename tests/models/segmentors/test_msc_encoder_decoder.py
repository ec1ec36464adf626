from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import mmwsss.models.heads.deeplabv2_head
from mmwsss.models.segmentors.msc_encoder_decoder import MSCEncoderDecoder
from tests.oracles.segmentation_heads import cross_entropy, resize_bilinear


def model_cfg(**changes: object) -> dict:
    cfg = dict(
        type='MSCEncoderDecoder',
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=4,
            stem_channels=4,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(1,),
            norm_eval=True,
        ),
        decode_head=dict(
            type='DeepLabV2Head',
            in_channels=8,
            in_index=0,
            num_classes=3,
            dilations=(1, 2),
            align_corners=True,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
        test_cfg=dict(mode='whole'),
    )
    cfg.update(changes)
    return cfg


def build(align_corners: bool = True, **changes: object) -> MSCEncoderDecoder:
    torch.manual_seed(0)
    cfg = ConfigDict(model_cfg(**changes))
    cfg.decode_head.align_corners = align_corners
    model = MODELS.build(cfg)
    for conv in model.decode_head.convs:
        torch.nn.init.normal_(conv.weight, std=0.3)
    return model


def samples_from(labels: torch.Tensor) -> list[SegDataSample]:
    samples = []
    for label in labels:
        sample = SegDataSample(metainfo=dict(img_shape=label.shape, ori_shape=label.shape))
        sample.gt_sem_seg = PixelData(data=label[None])
        samples.append(sample)
    return samples


def plain_logits(model: MSCEncoderDecoder, image: torch.Tensor, size: int) -> np.ndarray:
    """Logits (C, h, w) of one square image that is first reduced to ``size`` by the slow loop."""
    reduced = image.double().numpy()
    if size != image.shape[-1]:
        factor = {17: 0.5, 16: 0.5, 25: 0.75, 24: 0.75}[size]
        reduced = resize_bilinear(reduced, (size, size), model.align_corners, factor)
    with torch.no_grad():
        batch = torch.from_numpy(reduced)[None]
        return model.decode_head(model.backbone(batch))[0].numpy()


# 33 = 8 * 4 + 1. Ends of the grid that keep their place: 32 / 2 + 1 = 17 and 32 * 3 / 4 + 1 = 25.
@pytest.mark.parametrize(('align_corners', 'half', 'most'), [(True, 17, 25), (False, 16, 24)])
def test_losses_are_one_per_scale_and_one_of_the_maximum(align_corners, half, most):
    model = build(align_corners).double()
    images = torch.randn(1, 3, 33, 33, dtype=torch.float64)
    labels = torch.randint(0, 3, (1, 33, 33))
    labels[:, 20:] = 255
    losses = model.loss(images, samples_from(labels))

    logits = {size: plain_logits(model, images[0], size) for size in (33, half, most)}
    names = {33: 'x1', half: 'x0.5', most: 'x0.75'}
    full = logits[33].shape[1:]
    fused = np.max(
        [resize_bilinear(value, full, align_corners) for value in logits.values()], axis=0
    )
    values = {names[size]: value for size, value in logits.items()} | {'max': fused}
    for name, value in values.items():
        enlarged = resize_bilinear(value, (33, 33), align_corners)[None]
        want = cross_entropy(enlarged, labels.numpy())
        assert losses[f'decode_{name}.loss_ce'].item() == pytest.approx(want, rel=1e-6), name
    assert {key for key in losses if 'loss' in key} == {f'decode_{n}.loss_ce' for n in values}


def test_the_optimised_loss_is_the_sum_of_the_four_terms():
    model = build()
    losses = model.loss(torch.randn(2, 3, 33, 33), samples_from(torch.randint(0, 3, (2, 33, 33))))
    total, log = model.parse_losses(losses)
    terms = [value for key, value in log.items() if key.endswith('loss_ce')]
    assert len(terms) == 4
    assert total.item() == pytest.approx(sum(term.item() for term in terms), rel=1e-6)
    total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_prediction_is_the_maximum_over_scales():
    model = build().double().eval()
    images = torch.randn(1, 3, 33, 33, dtype=torch.float64)
    logits = [plain_logits(model, images[0], size) for size in (33, 17, 25)]
    full = logits[0].shape[1:]
    fused = np.max([resize_bilinear(value, full, True) for value in logits], axis=0)
    with torch.no_grad():
        np.testing.assert_allclose(model(images)[0].numpy(), fused, atol=1e-9)
        result = model.predict(images, samples_from(torch.zeros(1, 33, 33, dtype=torch.long)))
    want = resize_bilinear(fused, (33, 33), True)
    np.testing.assert_allclose(result[0].seg_logits.data.numpy(), want, atol=1e-9)
    assert np.array_equal(result[0].pred_sem_seg.data[0].numpy(), want.argmax(axis=0))


def test_fusion_of_predictions_can_be_switched_off():
    model = build(fuse_predictions=False).double().eval()
    images = torch.randn(1, 3, 33, 33, dtype=torch.float64)
    want = plain_logits(model, images[0], 33)
    with torch.no_grad():
        np.testing.assert_allclose(model(images)[0].numpy(), want, atol=1e-9)


def test_slide_prediction_fuses_too():
    model = build(test_cfg=dict(mode='slide', crop_size=(33, 33), stride=(33, 33))).eval()
    images = torch.randn(1, 3, 33, 33)
    samples = samples_from(torch.zeros(1, 33, 33, dtype=torch.long))
    with torch.no_grad():
        slid = model.predict(images, samples)[0].seg_logits.data.clone()
        model.test_cfg['mode'] = 'whole'
        whole = model.predict(images, samples)[0].seg_logits.data
    torch.testing.assert_close(slid, whole)


def test_auxiliary_head_sees_the_full_scale():
    head = model_cfg()['decode_head']
    model = build(auxiliary_head=dict(head, dilations=(1,)))
    images = torch.randn(1, 3, 33, 33)
    samples = samples_from(torch.randint(0, 3, (1, 33, 33)))
    losses = model.loss(images, samples)
    features = model.extract_feat(images)
    want = model.auxiliary_head.loss(features, samples, None)['loss_ce']
    assert losses['aux.loss_ce'].item() == pytest.approx(want.item(), rel=1e-5)


@pytest.mark.parametrize('scales', [(), (0.5, 0.5), (0.0,), (1.0,), (1.5,)])
def test_refuses_scales(scales):
    with pytest.raises(ValueError, match=r'scales must be distinct numbers in \(0, 1\)'):
        build(scales=scales)


def test_images_and_labels_stay_as_they_are():
    model = build()
    images, labels = torch.randn(1, 3, 33, 33), torch.randint(0, 3, (1, 33, 33))
    before = images.clone(), labels.clone()
    model.loss(images, samples_from(labels))
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])


def test_registers_under_the_name_configs_use():
    assert MODELS.get('MSCEncoderDecoder') is MSCEncoderDecoder
    assert MODELS.get('DeepLabV2Head') is mmwsss.models.heads.deeplabv2_head.DeepLabV2Head
