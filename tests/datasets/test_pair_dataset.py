import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmwsss.datasets import PairDataset, flatten_groups

SEED = 5
# Class ids by image; class 3 has one image, image 4 none.
LABELS = [[1], [1, 2], [1, 2], [3, 1], [], [2], [1], [1]]
CLASSES = ['cat', 'dog', 'owl']
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(8, 8)),
    dict(type='PackWSSSInputs'),
]


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """Config of eight images of 12 x 12 whose classes are LABELS."""
    root = tmp_path_factory.mktemp('pairs')
    (root / 'images').mkdir()
    rows = []
    for i, label in enumerate(LABELS):
        pixels = torch.arange(144).reshape(12, 12).to(torch.uint8) + 10 * i
        Image.fromarray(pixels.numpy()).convert('RGB').save(root / f'images/i{i}.png')
        rows.append(f'i{i},{";".join(CLASSES[c - 1] for c in label)}')
    (root / 'labels.csv').write_text('id,class names\n' + '\n'.join(rows) + '\n')
    return dict(
        type='WSSSDataset',
        data_root=str(root),
        data_prefix=dict(img_path='images'),
        classes=CLASSES,
        ann_file='labels.csv',
        labels=dict(source='csv', path='labels.csv'),
        unlabeled='keep',
        pipeline=PIPELINE,
    )


def build(config, **options):
    return DATASETS.build(dict(type='PairDataset', dataset=config, **options))


def loader_of(dataset, workers=0, batch_size=2, infinite=False, drop_last=False):
    return Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=batch_size,
            num_workers=workers,
            drop_last=drop_last,
            sampler=dict(type='SeededSampler', seed=SEED, infinite=infinite),
            collate_fn=dict(type='flatten_groups'),
        )
    )


@pytest.mark.parametrize('group_size', [1, 2, 3, 4])
def test_the_model_gets_a_flat_batch(config, group_size):
    dataset = build(config, group_size=group_size)
    batch = next(iter(loader_of(dataset)))
    preprocessor = MODELS.build(
        dict(type='WSSSDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3, size=(8, 8))
    )
    data = preprocessor(batch, training=True)
    assert data['inputs'].shape == (2 * group_size, 3, 8, 8)
    assert len(data['data_samples']) == 2 * group_size
    for start in (0, group_size):
        samples = data['data_samples'][start : start + group_size]
        assert {s.group_size for s in samples} == {group_size}
        assert len({s.group_index for s in samples}) == 1
        assert [s.view_index for s in samples] == list(range(group_size))
        shared = {s.shared_class for s in samples}
        assert len(shared) == 1
        assert all(s.gt_label[shared.copy().pop()] == 1 for s in samples)


def test_the_collate_function_is_registered():
    assert FUNCTIONS.get('flatten_groups') is flatten_groups


def test_group_size_is_checked(config):
    with pytest.raises(ValueError, match=r'group_size must be one of \(1, 2, 3, 4\), but got 5'):
        PairDataset(config, group_size=5)


def test_a_forgotten_collate_function_is_named(config):
    dataset = build(config)
    batch = pseudo_collate([dataset[0], dataset[1]])
    preprocessor = MODELS.build(dict(type='WSSSDataPreProcessor'))
    with pytest.raises(TypeError, match='flatten_groups'):
        preprocessor(batch, training=True)
