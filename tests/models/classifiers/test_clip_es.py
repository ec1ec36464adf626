"""CLIP-ES's localizer: against a slow oracle, image by image, and through ``make_maps``."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmwsss.io import load_class_maps
from mmwsss.models.classifiers.clip_es import _forget_texts
from mmwsss.stages.export import ExportedModel
from mmwsss.stages.load import load_localizer
from mmwsss.stages.maps import make_maps
from mmwsss.stages.masks import make_masks
from mmwsss.stages.test import run_test
from mmwsss.stages.train import check_trains
from mmwsss.utils.config import load_config
from tests.configs.test_localizer_backbones import CONFIGS
from tests.oracles import clip_es as oracle

FOLDER = CONFIGS / 'clip_es'


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope='module')
def cfg(demo_root):
    smaller = dict(img_size=(32, 32), patch_size=16, embed_dims=32, num_layers=3, num_heads=2)
    options = {f'model.backbone.{key}': value for key, value in smaller.items()}
    return load_config(FOLDER / 'clip_es_tiny_demo.py', dict(data_root=str(demo_root), **options))


@pytest.fixture(scope='module')
def model(cfg):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for name, parameter in model.named_parameters():
        if 'logit_scale' not in name:
            sharp = 0.5 if 'in_proj' in name else 0.2  # attention that is no mere mean
            torch.nn.init.normal_(parameter, std=sharp if parameter.ndim > 1 else 0.5)
    return model.eval()


def labels(*present: int) -> torch.Tensor:
    label = torch.zeros(5)
    label[list(present)] = 1
    return label


def attend(layer, x):
    """Multi-head attention of one image's tokens (L, C), head by head: result and weights."""
    q, k, v = (x @ layer.in_proj_weight.T + layer.in_proj_bias).chunk(3, dim=1)
    d, out, weights = layer.head_dim, [], []
    for head in range(layer.num_heads):
        one = slice(head * d, (head + 1) * d)
        weights.append(torch.softmax(q[:, one] @ k[:, one].T / d**0.5, dim=1))
        out.append(weights[-1] @ v[:, one])
    return layer.out_proj(torch.cat(out, dim=1)), torch.stack(weights)


def oracle_maps(model, image, present):
    """Maps on the grid: one backward pass for each class, blocks by hand, then the loops."""
    backbone, head = model.backbone, model.head
    h, w = image.shape[1] // 16, image.shape[2] // 16
    texts = head.text_encoder()
    chosen = torch.cat([texts[present], texts[5:]])
    maps = []
    for k in range(len(present)):
        tokens, _ = backbone.embed(image[None])
        attention = []
        for i, block in enumerate(backbone.layers):
            normed = block.norm1(tokens).detach()
            if i == 2:
                normed.requires_grad_()
            mixed, weights = attend(block.attn.attn, normed[0])
            attention.append(weights.mean(dim=0)[1:, 1:].detach().numpy())
            tokens = tokens.detach() + mixed
            tokens = tokens + block.ffn.layers(block.norm2(tokens))
        v = (backbone.norm1(tokens)[0, 1:].sum(dim=0) / (h * w)) @ backbone.proj
        score = torch.softmax(chosen @ (v / v.norm()), dim=0)[k]
        (gradient,) = torch.autograd.grad(score, normed)
        grids = [x.detach()[0, 1:].T.reshape(-1, h, w).numpy() for x in (normed, gradient)]
        affinity = oracle.affinity_loop(np.stack(attention[-2:]))
        maps.append(oracle.refined_loop(oracle.gradient_map_loop(*grids), affinity, 0.7))
    return np.stack(maps)


def test_maps_are_those_of_the_oracle(model):
    """In double precision: random attention is even, and the last step enlarges what is left."""
    model = copy.deepcopy(model).double()
    model.box_threshold = 0.7
    torch.manual_seed(1)
    image = torch.randn(3, 48, 64, dtype=torch.float64)
    wanted = oracle_maps(model, image, [0, 2, 3])
    with torch.no_grad():
        found, _ = model._view_maps(image, torch.tensor([0, 2, 3]))
    assert wanted.std() > 0.05
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-6)


def test_texts_are_encoded_anew_for_other_weights_and_never_in_half_precision(model):
    model, image = copy.deepcopy(model), torch.randn(3, 32, 32)
    before = model.class_maps(image)[0]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model.head.text_encoder.cache.clear()
        model.head.class_logits(torch.randn(1, 24))
    torch.testing.assert_close(model.class_maps(image)[0], before)
    state = model.state_dict()
    model.load_state_dict({name: value / 2 for name, value in state.items()})
    halved = model.class_maps(image)[0]
    model.head.text_encoder.cache.clear()
    torch.testing.assert_close(model.class_maps(image)[0], halved)
    assert (halved - before).abs().max() > 1e-3
    assert model.double().class_maps(image.double())[0].dtype == torch.float64


@pytest.mark.parametrize('size', [(45, 67), (16, 90), (7, 5)])
def test_maps_of_odd_sizes_have_a_background(model, size):
    torch.manual_seed(0)
    score, keys, maps = model.class_maps(torch.randn(3, *size), labels(1, 4))
    assert keys.tolist() == [0, 2, 5]
    assert maps.shape == (3, *size)
    assert torch.allclose(maps[0], 1 - maps[1:].amax(dim=0))
    assert 0 <= maps.min() <= maps.max() <= 1
    assert score.shape == (5,)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_maps_do_not_depend_on_what_the_caller_keeps_for_gradients(model):
    image = torch.randn(3, 32, 48)
    expected = model.class_maps(image, labels(0, 2))[2]
    for mode in (torch.inference_mode, torch.no_grad, torch.inference_mode):
        _forget_texts(model.head)
        with mode():
            assert torch.equal(model.class_maps(image, labels(0, 2))[2], expected)
        assert torch.equal(model.class_maps(image, labels(0, 2))[2], expected)  # texts of that mode


def test_an_image_without_objects_is_background(model):
    _, keys, maps = model.class_maps(torch.randn(3, 32, 32), labels())
    assert keys.tolist() == [0]
    assert (maps == 1).all()


def test_labels_may_be_predicted(model):
    image = torch.randn(3, 32, 48)
    score, keys, _ = model.class_maps(image)
    assert score.argmax() + 1 in keys
    assert torch.allclose(score, model.class_maps(image, labels(0))[0])


def test_mirror_and_scales_are_averaged(model, cfg):
    image = torch.randn(3, 32, 48)
    views = MODELS.build(dict(cfg.model, test_cfg=dict(scales=(1.0, 2.0), flip=True))).eval()
    views.load_state_dict(model.state_dict())
    assert not model.test_cfg['flip']
    scores, _, maps = views.class_maps(image, labels(1))
    single = []
    for scale in (1.0, 2.0):
        views.test_cfg.update(scales=(scale,), flip=False)
        one, other = (views.class_maps(x, labels(1)) for x in (image, image.flip(-1)))
        single += [(one[0], one[2]), (other[0], other[2].flip(-1))]
    wanted = [sum(parts) / 4 for parts in zip(*single)]
    assert torch.allclose(scores, wanted[0], atol=1e-5)
    assert torch.allclose(maps, wanted[1], atol=1e-3)
    assert (maps - single[0][1]).abs().max() > 0.01


def test_pictures_of_bytes_are_the_ones_that_were_normalised(model):
    views, picture = copy.deepcopy(model), torch.randint(0, 256, (3, 32, 48)).float()
    views.test_cfg['resize'] = 'uint8'
    mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
    ((view, is_mirror),) = views._views((picture - mean) / std)
    assert torch.equal(view[None], (picture[None] - mean) / std)
    assert not is_mirror


def test_logits_of_a_batch_and_texts(model, cfg):
    images = torch.randn(2, 3, 32, 48)
    single = [model(image[None], mode='tensor') for image in images]
    assert torch.allclose(model(images, mode='tensor'), torch.cat(single), atol=1e-5)
    text = MODELS.build(dict(cfg.model.head, sharper=dict(kite='red kite'), template='a {}'))
    names = ['lantern', 'red kite', 'beetle', 'teapot', 'umbrella', 'ground', 'sky']
    assert text.text_encoder.vocabulary == names
    assert text.text_encoder.templates == ['a {}']


def test_training_and_wrong_texts_are_refused(model, cfg):
    with pytest.raises(TypeError, match=r'not trained. Make it .*mmwsss weights clip'):
        model(torch.zeros(1, 3, 32, 32), [SegDataSample()], mode='loss')
    with pytest.raises(ValueError, match=r'class_texts must be 5 texts \(num_classes\)'):
        MODELS.build(dict(cfg.model.head, class_texts=['disc']))
    with pytest.raises(ValueError, match='sharper must have keys among class_texts, but has brid'):
        MODELS.build(dict(cfg.model.head, sharper=dict(brid='bird avian')))
    for none in ([], 'ground'):
        with pytest.raises(ValueError, match='background_texts must name something beside'):
            MODELS.build(dict(cfg.model.head, background_texts=none))
    with pytest.raises(
        ValueError, match='background_texts must not name classes, but have kite, red'
    ):
        MODELS.build(
            dict(
                cfg.model.head, sharper=dict(lantern='red'), background_texts=['red', 'sky', 'kite']
            )
        )
    with pytest.raises(ValueError, match=r"template must hold '\{\}'.*but got 'photo'"):
        MODELS.build(dict(cfg.model.head, template='photo'))
    for wrong in (dict(sharper=dict(kite=['a', 'b'])), dict(background_texts=['sky', ['a', 'b']])):
        with pytest.raises(
            TypeError, match=r"texts must be str, but got \['a', 'b'\]; on a command"
        ):
            MODELS.build(dict(cfg.model.head, **wrong))
    with pytest.raises(
        ValueError, match=r'trains nothing.*train_cfg\. Make it from a file of CLIP'
    ):
        check_trains(cfg)
    with pytest.raises(ValueError, match="CLIP-ES's maps are gradients"):
        ExportedModel(model)
    with pytest.raises(ValueError, match=r'box_threshold must lie in \[0, 1\)'):
        MODELS.build(dict(cfg.model, box_threshold=1.0))
    with pytest.raises(ValueError, match=r'affinity_blocks must lie in \[1, 3\]'):
        MODELS.build(dict(cfg.model, affinity_blocks=4))
    with pytest.raises(FileNotFoundError, match=r'none\.pth\. Make it from a file of CLIP'):
        load_localizer(cfg, 'none.pth', 'cpu')


def test_maps_and_masks_by_the_tools(model, cfg, demo_root, tmp_path):
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'clip.pth')
    ids = (demo_root / 'ImageSets/Segmentation/train.txt').read_text().split()[:2]
    report = make_maps(cfg, tmp_path / 'clip.pth', tmp_path / 'maps', ids, 'cpu')
    assert (report.done, report.failed) == (ids, {})
    maps = load_class_maps(tmp_path / 'maps' / f'{ids[0]}.npz')
    assert maps.keys[0] == 0
    assert len(maps.keys) > 1
    assert np.allclose(maps.scores[0], 1 - maps.scores[1:].max(axis=0), atol=1e-3)
    pytest.importorskip('pydensecrf')
    make_masks(cfg, tmp_path / 'maps', tmp_path / 'masks', ids, workers=1)
    assert len(list((tmp_path / 'masks').glob('*.png'))) == 2


def test_it_is_tested_without_a_training(model, cfg, tmp_path):
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'clip.pth')
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict({'work_dir': str(tmp_path / 'run'), 'test_dataloader.num_workers': 0})
    cfg.test_dataloader.persistent_workers = False
    cfg.test_dataloader.dataset.indices = 3
    scores = run_test(cfg, tmp_path / 'clip.pth')
    assert 0 < scores['cls/mAP'] <= 100


@pytest.mark.parametrize('name', ['voc', 'coco14'])
def test_full_size_recipes(name):
    cfg = load_config(FOLDER / f'clip_es_vitb16_{name}.py')
    head = cfg.model.head
    assert len(head.class_texts) == head.num_classes == (20 if name == 'voc' else 80)
    assert len(head.background_texts) == (25 if name == 'voc' else 23)
    backbone = MODELS.build(dict(cfg.model.backbone, num_layers=1))
    assert backbone.pos_embed.shape == (1, 197, 768)
    assert backbone.proj.shape == (768, 512)
    assert cfg.model.box_threshold == (0.4 if name == 'voc' else 0.7)
