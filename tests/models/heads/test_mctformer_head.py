from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample

from mmwsss.io import load_class_maps
from mmwsss.stages.maps import compute_class_maps, make_maps
from mmwsss.utils.config import load_config
from tests.configs.test_localizer_backbones import CONFIGS
from tests.oracles import mctformer as oracle

K, LAYERS, C, GRID, SIZE = 3, 4, 6, (4, 5), (16, 20)
LABELS = torch.tensor([[1.0, 0, 1], [0, 1, 0]])


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type='MCTformerHead', num_classes=K, in_channels=C, **kwargs))


def features(grid=GRID, n=2):
    cells = grid[0] * grid[1]
    return [
        torch.randn(n, C, *grid), torch.randn(n, LAYERS, K, C),
        torch.rand(n, LAYERS, K, *grid), torch.rand(n, cells, cells),
    ]  # fmt: skip


def samples():
    made = [SegDataSample(metainfo=dict(valid_box=b)) for b in ((0, 0, 20, 16), (0, 0, 12, 16))]
    for sample, label in zip(made, LABELS):
        sample.gt_label = label
    return made


def test_losses_are_those_of_the_loops_without_the_padding():
    head, feats = build(), features()
    inside = np.ones((2, *GRID))
    inside[1, :, 3:] = 0
    losses = head.loss(feats[:2], samples(), SIZE)
    logits, tokens = head.classifier(feats[0]).detach().numpy(), feats[1].numpy()
    pooled = [oracle.pooling_loop(x, 0.996, mask) for x, mask in zip(logits, inside)]
    wanted = dict(
        loss_token=oracle.soft_margin_loop(tokens[:, -1].mean(axis=2), LABELS.numpy()),
        loss_patch=oracle.soft_margin_loop(np.array(pooled), LABELS.numpy()),
        loss_contrast=oracle.contrast_loop(tokens, LABELS.numpy()),
    )
    assert {k: v.item() for k, v in losses.items()} == pytest.approx(wanted, abs=1e-5)
    weighted = build(loss_weights=dict(contrast=0.5)).loss(feats[:2], samples(), SIZE)
    assert weighted['loss_contrast'].item() == pytest.approx(wanted['loss_contrast'] / 2)


def test_maps_and_logits_are_those_of_the_loops():
    head, feats = build(attention_layers=2), features()
    outputs = head(feats)
    maps = head.maps(outputs, LABELS).detach().numpy()
    logits = outputs['cam_logits'].detach().numpy()
    for n in range(2):
        to_patches = feats[2][n].numpy()[-2:].mean(axis=0)
        wanted = oracle.refine_loop(logits[n], to_patches, feats[3][n].numpy())
        wanted = wanted - wanted.min(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(maps[n], wanted * LABELS[n].numpy()[:, None, None], atol=1e-4)
        pooled = oracle.pooling_loop(logits[n], 0.996, np.ones(GRID))
        score = (pooled + feats[1][n, -1].numpy().mean(axis=1)) / 2
        np.testing.assert_allclose(head.class_logits(outputs)[n].detach(), score, atol=1e-5)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    backbone = dict(
        type='MCTVisionTransformer', num_classes=K, img_size=32, patch_size=8, embed_dims=C,
        num_layers=LAYERS, num_heads=2, mlp_ratio=2,
    )  # fmt: skip
    test_cfg = dict(scales=(1.0, 0.75, 1.25))
    head = dict(type='MCTformerHead', num_classes=K, in_channels=C)
    cfg = dict(type='ImageLevelClassifier', backbone=backbone, head=head, test_cfg=test_cfg)
    model = MODELS.build(cfg)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model.eval()


def test_the_mirrored_image_has_the_mirrored_maps(model):
    image, label = torch.randn(3, 37, 53), torch.tensor([1.0, 0, 1])
    score, keys, maps = model.class_maps(image, label)
    mirrored_score, _, mirrored = model.class_maps(image.flip(-1), label)
    assert keys.tolist() == [1, 3]
    torch.testing.assert_close(mirrored.flip(-1), maps, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(mirrored_score, score)
    assert (maps - maps.flip(-1)).abs().max() > 0.1


def test_maps_are_the_sum_over_views_of_each_views_own(model):
    image, label = torch.randn(3, 40, 48), torch.tensor([0.0, 1, 0])
    model.test_cfg['scales'] = (1.0,)
    found = model.class_maps(image, label)[2]
    model.test_cfg['scales'] = (1.0, 0.75, 1.25)
    total = 0
    with torch.no_grad():
        for mirrored in (False, True):
            view = image.flip(-1) if mirrored else image
            cam = model.head(model.extract_feat(view[None]))['cam'][:, 1:2]
            total = total + (cam.flip(-1) if mirrored else cam)
    wanted = F.interpolate(total - total.min(), size=(40, 48), mode='bilinear')
    torch.testing.assert_close(found, wanted[0] / (wanted.max() + 1e-5), atol=1e-5, rtol=1e-4)


def test_maps_are_named_by_image_and_are_those_of_the_model(demo_root, tmp_path):
    cfg = load_config(CONFIGS / 'mctformer/mctformer_tiny_demo.py', dict(data_root=str(demo_root)))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'model.pth')
    report = make_maps(cfg, tmp_path / 'model.pth', tmp_path / 'maps', device='cpu')
    assert len(report.done) == 8
    dataset = DATASETS.build(cfg.map_dataset)
    for item in (dataset[0], dataset[7]):
        maps = load_class_maps(tmp_path / 'maps' / f'{item["data_samples"].img_id}.npz')
        wanted = compute_class_maps(model.eval(), item)
        np.testing.assert_array_equal(maps.keys, wanted.keys)
        np.testing.assert_allclose(maps.scores, wanted.scores, atol=1e-3)
        assert maps.scores.shape[1:] == tuple(item['inputs'].shape[1:])


def test_what_does_not_fit_is_named(model):
    head = build()
    with pytest.raises(ValueError, match=r'maps need the attention.*call model\.eval\(\)'):
        head(features()[:2])
    four = features()
    four[1] = torch.randn(2, LAYERS, 4, C)
    with pytest.raises(ValueError, match='num_classes of MCTVisionTransformer and head must be'):
        head.loss(four, samples(), SIZE)
    few = build(attention_layers=LAYERS + 1)
    with pytest.raises(ValueError, match=rf'attention_layers must lie in \[1, {LAYERS}\]'):
        few(features())
    with pytest.raises(ValueError, match=r'in_index must lie in \[0, inf\), but got -1'):
        build(in_index=-1)
    plain = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, out_indices=(3,))
    head_cfg = dict(type='MCTformerHead', num_classes=K, in_channels=C)
    lonely = MODELS.build(dict(type='ImageLevelClassifier', backbone=plain, head=head_cfg)).eval()
    with pytest.raises(
        ValueError, match='MCTformerHead reads output 1 of the backbone, which has 1'
    ):
        lonely.extract_feat(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r'decay must lie in \(0, 1\], but got 2'):
        build(decay=2)
    with pytest.raises(ValueError, match='loss_weights must hold'):
        build(loss_weights=dict(cls=1))
