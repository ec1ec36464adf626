from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from sklearn.exceptions import ConvergenceWarning

import mmwsss  # noqa: F401
from mmwsss.functional.svm import select_seed_pixels, svm_expand
from mmwsss.io import ClassMaps, Protocol, save_mask, voc_palette
from mmwsss.refine.chain import RefinerChain
from mmwsss.refine.svm_expansion import SVMExpansion, stack_features
from mmwsss.stages.masks import mask_protocol
from tests.tiny_models import tiny_resnet

SIZE = (24, 32)


def scene():
    rng = np.random.default_rng(0)
    truth = np.broadcast_to(np.arange(32) >= 16, SIZE)
    image = np.where(truth[..., None], 170, 80) + rng.normal(0, 20, (*SIZE, 3))
    scores = 0.55 * rng.random((2, *SIZE)) + 0.45 * np.stack([~truth, truth])
    maps = ClassMaps(np.array([0, 7]), scores, SIZE)
    return image.clip(0, 255).astype(np.uint8), maps, 7 * truth


def test_rgb_features_from_the_best_scores():
    image, maps, truth = scene()
    out = SVMExpansion(top_fraction=0.2, n_samples=60, seed=3)(maps, image)
    scores = maps.full_size_scores()
    seeds = select_seed_pixels(scores, scores.argmax(axis=0), top_fraction=0.2)
    seeds[seeds == 1] = 7
    want = svm_expand(image.transpose(2, 0, 1).astype(float), seeds, n_samples=60, seed=3)
    assert (out == want).all()
    assert (out == truth).mean() > 0.99 > (7 * scores.argmax(axis=0) == truth).mean()


def test_crf_agreement_learns_fewer_pixels():
    image, maps, _ = scene()
    alone = SVMExpansion(top_fraction=1)._seeds(maps, image, '')
    refiner = SVMExpansion(top_fraction=1, crf_agreement=True)
    assert refiner.is_crf
    assert not SVMExpansion(crf_agreement=True, gt_dir='masks').is_crf  # no CRF runs then
    both = refiner._seeds(maps, image, '')
    assert (both == 255).sum() > (alone == 255).sum()
    assert (both[both != 255] == alone[both != 255]).all()


def test_labels_are_learnt_as_they_are():
    image, _, truth = scene()
    labels = np.full(SIZE, 255, np.uint8)
    labels[0, 0], labels[0, -1] = 0, 7
    out = SVMExpansion(n_samples=20)(labels, image)
    assert out.dtype == np.uint8
    assert (out == truth).mean() > 0.9


def test_many_classes(tmp_path):
    image, maps, truth = scene()
    labels = np.where(truth > 0, 301, 0)
    save_mask(tmp_path / 'a.png', labels, voc_palette(302))
    seeds = SVMExpansion(gt_dir=str(tmp_path))._seeds(maps, image, 'a')
    np.testing.assert_array_equal(seeds, labels)
    keys = np.delete(np.arange(302), 255)
    scores = np.zeros((len(keys), *SIZE), np.float32)
    scores[255] = 1  # of class 256
    maps = ClassMaps(keys, scores, SIZE)
    assert np.unique(SVMExpansion(top_fraction=1)._seeds(maps, image, '')).tolist() == [256]


def test_true_mask_as_source(tmp_path):
    image, maps, truth = scene()
    wrong = ClassMaps(maps.keys, maps.scores[::-1].copy(), SIZE)
    save_mask(tmp_path / 'a.png', truth.astype(np.uint8), voc_palette(21))
    out = SVMExpansion(gt_dir=str(tmp_path), n_samples=50)(wrong, image, 'a')
    assert (out == truth).mean() > 0.99
    chain = RefinerChain([dict(type='SVMExpansion', gt_dir=str(tmp_path))])
    assert chain.input_files() == [str(tmp_path)]
    settings = {'threshold_source': 'argmax', 'uses_ground_truth': False}
    assert mask_protocol(Protocol(), chain, settings, 'train').uses_ground_truth


def test_features_of_a_network(tmp_path):
    config = dict(
        type='ImageLevelClassifier',
        backbone=tiny_resnet(),
        head=dict(type='CAMHead', num_classes=5, in_channels=64),
        data_preprocessor=dict(
            type='WSSSDataPreProcessor', mean=[100.0] * 3, std=[50.0] * 3, bgr_to_rgb=True
        ),
    )
    torch.manual_seed(0)
    model = MODELS.build(config).eval()
    (tmp_path / 'cam.py').write_text(f'model = {config!r}\n')
    torch.save(model.state_dict(), tmp_path / 'cam.pth')
    files = str(tmp_path / 'cam.py'), str(tmp_path / 'cam.pth')
    image, maps, _ = scene()
    refiner = SVMExpansion(*files, layers=('relu', 'layer1', 'layer4'), n_samples=20)
    assert list(refiner.input_files()) == list(files)
    got = stack_features(refiner.layer_outputs(image), image)
    backbone = model.backbone
    normal = (torch.from_numpy(image).permute(2, 0, 1)[None].float() - 100) / 50
    with torch.no_grad():
        stem = backbone.norm1(backbone.conv1(normal)).relu()
        stages = backbone(normal)
    want = torch.cat(
        [
            torch.nn.functional.interpolate(x, SIZE, mode='bilinear')[0]
            for x in (stem, stages[0], stages[3])
        ]
    )
    torch.testing.assert_close(got, want)
    lower = SVMExpansion(*files, layers=('relu', 'layer1', 'layer4'))
    lower.network.precision = 'bfloat16'
    low = stack_features([torch.from_numpy(x) for x in lower.start(maps, image)[1]], image)
    assert 1e-6 < ((low - want).abs().max() / want.abs().max()) < 0.05
    assert set(np.unique(refiner(maps, image))) <= {0, 7}
    inner = SVMExpansion(*files, layers=('layer2.1.conv1', 0), max_iter=1, n_samples=20)
    with torch.no_grad():
        half = backbone.layer2[1].conv1(backbone.layer2[0](stages[0]))
    tap, output = inner.layer_outputs(image)
    torch.testing.assert_close(tap, half)
    torch.testing.assert_close(output, stages[0])
    with pytest.warns(ConvergenceWarning, match='picture: 1 machines did not converge'):
        inner(maps, image, 'picture')
    with pytest.raises(ValueError, match='layers names 9, which gives no feature map'):
        SVMExpansion(*files, layers=(9,)).layer_outputs(image)
    with pytest.raises(
        ValueError, match=r"layers names 'layer9', .* children of ResNet are .*'layer1'"
    ):
        SVMExpansion(*files, layers=('layer9',)).layer_outputs(image)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'layers': ('layer1',)}, 'belong together'),
        ({'config': 'a.py', 'checkpoint': 'a.pth'}, 'belong together'),
        ({'config': 'a.py', 'layers': ('layer1',)}, 'belong together'),
        ({'top_fraction': 0}, 'top_fraction must lie in'),
        ({'method': 'quick'}, 'method must be one of'),
        ({'n_samples': 0}, 'n_samples must lie in'),
        ({'n_components': 0}, 'n_components must lie in'),
        ({'penalty': 0}, 'penalty must lie in'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SVMExpansion(**arguments)


def test_maps_without_background():
    image, maps, _ = scene()
    with pytest.raises(ValueError, match='no background map'):
        SVMExpansion()(ClassMaps(maps.keys[1:], maps.scores[1:], SIZE), image)


def test_features_are_laid_out_by_channels():
    output = torch.rand(1, 5, 4, 6).to(memory_format=torch.channels_last)
    features = stack_features([output], np.zeros((8, 12, 3), np.uint8))
    assert features.is_contiguous()
