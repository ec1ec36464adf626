"""WeCLIP: its labels against slow loops; trained on image labels, resumed and asked for masks."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmwsss.io import load_mask, read_record
from mmwsss.models.classifiers.clip_es import on_grid, text_maps
from mmwsss.stages.predict import predict
from mmwsss.stages.train import run_training
from mmwsss.utils.checkpoint import load_checkpoint_file
from mmwsss.utils.config import load_config
from tests.oracles import clip_es as clip_oracle
from tests.oracles import par as par_oracle
from tests.oracles import weclip as oracle

CONFIGS = Path(__file__).parents[3] / 'configs' / 'weclip'


def config(root, **options):
    return load_config(CONFIGS / 'weclip_tiny_demo.py', dict(data_root=str(root), **options))


@pytest.fixture(scope='module')
def model(demo_root):
    torch.manual_seed(0)
    cfg = config(demo_root).model
    cfg.update(par_iterations=2, par_dilations=(1,), affinity_from=1)
    model = MODELS.build(cfg)
    for name, parameter in model.named_parameters():
        if 'logit_scale' not in name:
            torch.nn.init.normal_(parameter, std=0.2 if parameter.ndim > 1 else 0.5)
    return model.double().eval()


def sample(box, *present):
    label = torch.zeros(5)
    label[list(present)] = 1
    found = SegDataSample(metainfo=dict(valid_box=box, img_id='one'))
    found.gt_label = label
    return found


def scores_by_loops(model, image, box, present, is_selected):
    """Scores of background and classes inside the box (n + 1, h, w)."""
    with torch.no_grad():
        blocks = model._frozen_blocks(image[None])
        affinity = model.decode_head.affinity(
            model.decode_head.fused([on_grid(each, blocks[2]) for each in blocks[0]])
        )[0]
        maps, _, last = text_maps(
            model.backbone, model.head, blocks[0][-1], blocks[2], torch.tensor(present)
        )
    attention = torch.stack([*(each[0] for each in blocks[1]), last]).numpy()[-2:]
    if is_selected:
        attention = oracle.selected_loop(attention, affinity.numpy())[None]
    weights = clip_oracle.affinity_loop(attention)
    refined = np.stack([clip_oracle.refined_loop(one, weights, 0.4) for one in maps.numpy()])
    full = par_oracle.resize_loop(refined, *image.shape[1:])
    left, top, right, bottom = box
    full = full[:, top:bottom, left:right]
    scores = np.concatenate([1 - full.max(axis=0, keepdims=True), full])
    return par_oracle.refine_loop(image[:, top:bottom, left:right].numpy(), scores, (1,), 2)


def online_labels(model, images, samples):
    blocks = model._frozen_blocks(images)
    with torch.no_grad():
        features = model.decode_head.fused([on_grid(each, blocks[2]) for each in blocks[0]])
        return model.online_labels(images, samples, blocks, model.decode_head.affinity(features))


@pytest.mark.parametrize('iterations', [0, 1])
def test_labels_are_those_of_the_loops(model, iterations):
    model.iterations.fill_(iterations)
    torch.manual_seed(1)
    images = torch.randn(2, 3, 24, 32, dtype=torch.float64)
    boxes, present = [(3, 0, 32, 20), (0, 0, 32, 24)], [(0, 3), (2,)]
    found = online_labels(model, images, [sample(b, *p) for b, p in zip(boxes, present)])
    for image, box, classes, labels in zip(images, boxes, present, found):
        wanted = scores_by_loops(model, image, box, list(classes), bool(iterations))
        left, top, right, bottom = box
        inside = labels[top:bottom, left:right].numpy()
        ids = np.array([0, *(k + 1 for k in classes)])
        best = np.sort(wanted, axis=0)
        clear = best[-1] - best[-2] > 1e-4
        assert clear.mean() > 0.99
        assert np.array_equal(inside[clear], ids[wanted.argmax(axis=0)][clear])
        assert len(np.unique(inside)) > 1
        assert np.isin(inside, ids).all()
        assert (labels == 255).sum() == labels.numel() - inside.size


def test_an_image_without_classes_is_background_and_counts(model):
    model = copy.deepcopy(model).float().train()
    model.head.text_encoder.cache.clear()
    model.iterations.zero_()
    assert not model.backbone.training
    assert not model.head.training
    assert model.decode_head.training
    samples = [sample((0, 0, 32, 24)), sample((0, 5, 32, 24))]
    losses = model.loss(torch.randn(2, 3, 24, 32), samples)
    assert losses['decode.loss_fg'] == 0
    assert losses['decode.loss_bg'] > 0
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == name.startswith('decode_head.')
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()
    assert model.iterations == 1


def test_what_does_not_fit_is_named(model, demo_root):
    cfg = config(demo_root).model
    with pytest.raises(ValueError, match=r'must be head.num_classes \+ 1 = 6, but got 5'):
        MODELS.build({**cfg, 'decode_head': {**cfg.decode_head, 'num_classes': 5}})
    with pytest.raises(ValueError, match=r'out_indices must be all .* 0 to 2, but got \[0, 2\]'):
        MODELS.build({**cfg, 'backbone': {**cfg.backbone, 'out_indices': [0, 2]}})
    wrong = dict(affinity_blocks=5, selected_blocks=0, affinity_from=-1, box_threshold=1.0)
    for name, value in {**wrong, 'par_iterations': -1, 'par_dilations': (0,)}.items():
        with pytest.raises(ValueError, match=f'{name} must lie in'):
            MODELS.build({**cfg, name: value})
    for name in ('neck', 'auxiliary_head'):
        with pytest.raises(ValueError, match=f'WeCLIP has no {name}'):
            MODELS.build({**cfg, name: dict(type='FPN')})
    bare = SegDataSample(metainfo=dict(img_id='one'))
    with pytest.raises(
        ValueError, match="image 'one': expected a multi-hot gt_label over 5 classes"
    ):
        model.loss(torch.zeros(1, 3, 24, 32, dtype=torch.float64), [bare])


def training(root, work_dir, **options):
    """Four iterations on crops of 48 pixels, the affinity taking part in the last two."""
    cfg = config(root, **{'model.affinity_from': 2, 'model.par_iterations': 2, **options})
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.update(max_iters=4, val_interval=4)
    cfg.param_scheduler[0].end = 4
    cfg.default_hooks.checkpoint.interval = 2
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 2
    cfg.model.data_preprocessor.size = (48, 48)
    cfg.train_dataloader.dataset.pipeline[3].crop_size = (48, 48)
    cfg.log_level = 'WARNING'
    return cfg


def with_clip(cfg, file):
    """The config, starting from a file as the converter of CLIP writes it; and what is in the file."""
    parts = {key: cfg.model[key] for key in ('data_preprocessor', 'backbone', 'head')}
    localizer = MODELS.build(dict(parts, type='CLIPESLocalizer', affinity_blocks=2))
    localizer.init_weights()
    clip = localizer.state_dict()
    torch.save(clip, file)
    for part in ('backbone', 'head'):
        init = dict(type='Pretrained', checkpoint=str(file), prefix=f'{part}.')
        cfg.model[part].init_cfg = init
    return cfg, clip


def test_trains_resumes_and_predicts_odd_sizes(demo_root, tmp_path):
    cfg, clip = with_clip(training(demo_root, tmp_path / 'whole'), tmp_path / 'clip.pth')
    run_training(cfg)
    first = tmp_path / 'whole' / 'iter_2.pth'
    run_training(training(demo_root, tmp_path / 'again', load_from=str(first)), resume=True)
    start, one, two = (
        load_checkpoint_file(path)['state_dict']
        for path in (first, *(tmp_path / run / 'iter_4.pth' for run in ('whole', 'again')))
    )
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert one['iterations'] == 4
    for key, value in one.items():
        is_trained = key.startswith('decode_head.') or key == 'iterations'
        assert torch.equal(value, start[key]) != is_trained, key
    assert all(torch.equal(one[key], value) for key, value in clip.items())
    protocol = read_record(tmp_path / 'whole').protocol
    assert protocol.trained_on == 'image labels by masks made in training'

    cfg = training(demo_root, tmp_path / 'none')
    images = sorted((demo_root / 'JPEGImages').glob('val*.jpg'))[:2]
    named = [(path.stem, path) for path in images]
    report = predict(cfg, tmp_path / 'whole/iter_4.pth', named, tmp_path / 'masks', device='cpu')
    assert (len(report.done), report.failed) == (2, {})
    assert load_mask(tmp_path / 'masks' / f'{images[0].stem}.png').max() < 6


@pytest.mark.parametrize('size', [(24, 32), (45, 67), (7, 90)])
def test_logits_of_any_size(model, size):
    image = torch.randn(1, 3, *size, dtype=torch.float64)
    tokens, _, grid = model._frozen_blocks(image)  # what training sees
    for found, each in zip(model.extract_feat(image), tokens):
        torch.testing.assert_close(found, on_grid(each, grid))
    samples = [SegDataSample(metainfo=dict(img_shape=size, ori_shape=size))]
    (found,) = model.predict(image, samples)
    assert found.seg_logits.data.shape == (6, *size)
    assert torch.isfinite(found.seg_logits.data).all()


@pytest.mark.parametrize(('name', 'K', 'steps'), [('voc', 20, 30_000), ('coco14', 80, 80_000)])
def test_full_size_recipes(name, K, steps):
    cfg = load_config(CONFIGS / f'weclip_vitb16_{name}.py')
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[-1].end == steps
    assert cfg.optim_wrapper.optimizer == dict(
        type='AdamW', lr=2e-3, betas=(0.9, 0.999), weight_decay=0.01
    )
    assert cfg.train_dataloader.batch_size == 4
    crop = cfg.train_dataloader.dataset.pipeline[3].crop_size
    assert crop == tuple(cfg.model.data_preprocessor['size']) == (320, 320)
    assert 'seg_map_path' not in cfg.train_dataloader.dataset.data_prefix
    tested = cfg.test_dataloader.dataset
    assert tested.ann_file.endswith('val.txt')
    assert tested.get('labels') is tested.get('indices') is None
    assert [step for step in tested.pipeline if step.type != 'LoadMask'] == cfg.test_pipeline
    (views,) = (step for step in cfg.tta_pipeline if step.type == 'TestTimeAug')
    assert [step.scale_factor for step in views.transforms[0]] == [1.0, 0.75]
    model = cfg.model
    for part in ('backbone', 'head'):
        assert model[part].pop('init_cfg').checkpoint == cfg.pretrained
    assert model.selected_blocks == (6 if name == 'voc' else 10)
    assert model.box_threshold == (0.4 if name == 'voc' else 0.7)
    assert model.par_iterations == 20
    assert model.head.num_classes == K
    with torch.device('meta'):
        head = MODELS.build(model.decode_head)
    assert sum(p.numel() for p in head.parameters()) / 1e6 == pytest.approx(6.0, abs=0.1)
    width, depth = model.backbone.embed_dims, model.backbone.num_layers
    tokens = [torch.zeros(1, width, 4, 5, device='meta')] * (depth - 1)
    assert head(tokens).shape == (1, K + 1, 4, 5)
    assert list(model.backbone.out_indices) == list(model.decode_head.in_index)
