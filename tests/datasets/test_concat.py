import pytest
import torch
from mmengine.runner import Runner

from mmwsss.datasets import WSSSConcatDataset
from tests.datasets.tiny import make_tiny

PIPELINE = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCrop', crop_size=(6, 6)),
    dict(type='PackWSSSInputs'),
]


def part(root, split, **kwargs):
    return {
        **dict(
            type='WSSSDataset',
            classes='classes.txt',
            data_root=str(root),
            data_prefix=dict(img_path='images', seg_map_path='masks'),
            ann_file=f'lists/{split}.txt',
            pipeline=PIPELINE,
        ),
        **kwargs,
    }


def loader(root, workers):
    return Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=workers,
            sampler=dict(type='SeededSampler', shuffle=True, seed=3),
            dataset=dict(
                type='WSSSConcatDataset', datasets=[part(root, 'all'), part(root, 'train')]
            ),
        )
    )


def test_items_follow_each_other_and_do_not_depend_on_workers(tmp_path):
    root = make_tiny(tmp_path)
    batches = [list(loader(root, workers)) for workers in (0, 2)]
    names, images = [], []
    for run in batches:
        names.append([sample.img_id for batch in run for sample in batch['data_samples']])
        images.append([image for batch in run for image in batch['inputs']])
    assert names[0] == names[1]
    assert sorted(names[0]) == ['first', 'first', 'second', 'second', 'third']
    assert all(torch.equal(one, two) for one, two in zip(*images))


def test_plain_indices(tmp_path):
    root = make_tiny(tmp_path)
    dataset = WSSSConcatDataset([part(root, 'all'), part(root, 'train')])
    assert len(dataset) == 5
    found = [dataset[i]['data_samples'].img_id for i in range(5)]
    assert found == ['first', 'second', 'third', 'first', 'second']
    assert dataset.metainfo['classes'] == ('background', 'cat', 'dog')


def test_other_classes_are_refused(tmp_path):
    root = make_tiny(tmp_path)
    with pytest.raises(ValueError, match='meta information'):
        WSSSConcatDataset([part(root, 'all'), part(root, 'all', classes=['dog', 'cat'])])
