import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from PIL import Image
from scipy.stats import chisquare

from mmwsss.datasets import PairDataset, SeededSampler, flatten_groups
from mmwsss.datasets.pair_dataset import noise_seed
from mmwsss.datasets.seeding import encode_key
from tests.oracles.pairs import group_probabilities

SEED = 5
DRAWS = 800
# Class ids by image. Class 3 has one image, class 2 three, image 4 no label.
LABELS = [[1], [1, 2], [1, 2], [1, 3], [], [2], [1], [1]]
LABELLED = [0, 1, 2, 3, 5, 6, 7]
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
        pixels = np.arange(144, dtype=np.uint8).reshape(12, 12) + 10 * i
        Image.fromarray(pixels).convert('RGB').save(root / f'images/i{i}.png')
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


@pytest.fixture(scope='module')
def pairs(config):
    return build(config)


def build(config, **options):
    return DATASETS.build(dict(type='PairDataset', dataset=config, **options))


def loader_of(dataset, workers=0, rank=0, world_size=1, batch_size=2, drop_last=False, **sampler):
    """A dataloader as the Runner builds it, of one of several ranks that share a batch."""
    loader = Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=batch_size // world_size,
            num_workers=workers,
            drop_last=drop_last,
            sampler=dict(type='SeededSampler', seed=SEED, **sampler),
            collate_fn=dict(type='flatten_groups'),
        )
    )
    loader.sampler.rank, loader.sampler.world_size = rank, world_size
    return loader


def views(batch):
    """What a batch shows: per view the image, its place, and the augmented pixels."""
    return [
        (s.img_id, s.group_index, s.view_index, s.shared_class, s.flip, image.numpy().tobytes())
        for image, s in zip(batch['inputs'], batch['data_samples'], strict=True)
    ]


def epoch_of(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return [views(batch) for batch in loader]


def keys(dataset, index, epochs):
    return [encode_key(index, epoch, SEED, len(dataset)) for epoch in range(epochs)]


class TestDraw:
    @pytest.mark.parametrize('group_size', [1, 2, 3, 4])
    @pytest.mark.parametrize('balanced', [False, True])
    def test_every_group_has_its_probability(self, config, group_size, balanced):
        dataset = build(config, group_size=group_size, class_balanced=balanced)
        for image in (1, 3, 5):
            item = LABELLED.index(image)
            expected = group_probabilities(LABELS, None if balanced else image, group_size)
            drawn = Counter(dataset.group(key) for key in keys(dataset, item, DRAWS))
            assert set(drawn) <= set(expected)
            if len(expected) > 1:
                counts = [drawn[group] for group in expected]
                p = chisquare(counts, [DRAWS * p for p in expected.values()]).pvalue
                assert p > 1e-4, (image, counts)

    def test_the_draw_follows_from_seed_epoch_and_index(self, config, pairs):
        again = build(config)
        key = encode_key(1, 3, SEED, len(pairs))
        np.random.seed(0)  # noqa: NPY002
        first = pairs.group(key)
        np.random.seed(1)  # noqa: NPY002
        assert again.group(key) == first == pairs.group(key)
        shared = {  # of 20 epochs; items 1 and 2 have the same classes
            tuple(
                pairs.group(encode_key(index, start + i, seed, len(pairs))).shared_class
                for i in range(20)
            )
            for index, start, seed in ((1, 3, SEED), (2, 3, SEED), (1, 30, SEED), (1, 3, SEED + 1))
        }
        assert len(shared) == 4

    def test_the_only_image_of_a_class_is_its_own_partner(self, config):
        dataset = build(config, group_size=3)
        item = LABELLED.index(3)
        alone = [g for key in keys(dataset, item, 40) if (g := dataset.group(key))[1] == 3]
        assert alone
        assert {g.images for g in alone} == {(3, 3, 3)}

    def test_an_image_is_not_its_own_partner_where_the_class_has_others(self, config):
        dataset = build(config, group_size=4)
        for item, key in itertools.product(range(len(dataset)), range(30)):
            images, shared = dataset.group(keys(dataset, item, key + 1)[-1])
            if shared != 3:
                assert images[0] not in images[1:]
            if shared == 2:  # three images: both others come before one is repeated
                assert len({*images}) == 3

    def test_plain_indices_draw_from_the_global_generator(self, pairs):
        np.random.seed(3)  # noqa: NPY002
        first = [pairs.group(0) for _ in range(12)]
        np.random.seed(3)  # noqa: NPY002
        assert [pairs.group(0) for _ in range(12)] == first
        assert len(set(first)) > 1
        assert {group.images[0] for group in first} == {0}

    def test_balanced_classes_come_equally_often(self, config):
        dataset = build(config, class_balanced=True)
        counts = Counter()
        for epoch in range(200):
            keys = (encode_key(i, epoch, SEED, len(dataset)) for i in range(len(dataset)))
            counts.update(dataset.group(key).shared_class for key in keys)
        total = 200 * len(dataset)
        assert chisquare([counts[c] for c in (1, 2, 3)], [total / 3] * 3).pvalue > 1e-3


class TestItems:
    def test_shape_of_an_item(self, pairs):
        key = encode_key(4, 0, SEED, len(pairs))
        item, group = pairs[key], pairs.group(key)
        samples = [view['data_samples'] for view in item]
        assert [sample.img_id for sample in samples] == [f'i{i}' for i in group.images]
        assert [sample.group_index for sample in samples] == [4, 4]
        assert all(sample.gt_label[sample.shared_class] == 1 for sample in samples)
        assert group.images[0] == LABELLED[4]

    def test_a_group_of_one_is_the_plain_dataset(self, config):
        labelled = {**config, 'unlabeled': 'drop'}
        plain, single = DATASETS.build(labelled), build(labelled, group_size=1)
        for key in keys(plain, 2, 5):
            expected, (view,) = plain[key], single[key]
            assert torch.equal(view['inputs'], expected['inputs'])
            assert view['data_samples'].valid_box == expected['data_samples'].valid_box

    def test_repeated_images_are_augmented_each_on_its_own(self, config):
        dataset = build(config, group_size=4)
        item = LABELLED.index(3)
        key = next(k for k in keys(dataset, item, 40) if dataset.group(k).shared_class == 3)
        assert len({view['inputs'].numpy().tobytes() for view in dataset[key]}) > 1

    def test_loading_leaves_the_global_generators_alone(self, pairs):
        np.random.seed(0)  # noqa: NPY002
        expected = np.random.rand()  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        pairs[encode_key(0, 0, SEED, len(pairs))]
        assert np.random.rand() == expected  # noqa: NPY002

    def test_images_without_label_are_left_out(self, pairs):
        assert len(pairs) == len(LABELLED)
        assert [pairs.get_data_info(i)['img_id'] for i in range(7)] == [f'i{i}' for i in LABELLED]
        assert [pairs.get_cat_ids(i) for i in range(7)] == [LABELS[i] for i in LABELLED]
        assert len(list(pairs)) == 7
        with pytest.raises(IndexError, match=r'\[0, 7\)'):
            pairs[7]

    def test_without_any_label_it_says_so(self, config):
        with pytest.raises(ValueError, match='no image of FakeDataset has a label'):
            PairDataset(FakeDataset([[], []]))
        with pytest.raises(ValueError, match='built without labels'):
            PairDataset(DATASETS.build({**config, 'labels': None}))
        with pytest.raises(TypeError, match='range has no image-level labels: get_data_info'):
            PairDataset(range(3))

    def test_group_size_is_checked(self, config):
        with pytest.raises(
            ValueError, match=r'group_size must be one of \(1, 2, 3, 4\), but got 5'
        ):
            PairDataset(config, group_size=5)


class FakeDataset:
    """A foreign dataset: no base class, ``get_cat_ids`` only, plain dictionaries as items."""

    metainfo = {'classes': ('background', 'a', 'b')}  # noqa: RUF012

    def __init__(self, labels):
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {'index': index, 'noise': np.random.rand()}  # noqa: NPY002

    def get_cat_ids(self, index):
        return self.labels[index]


class TestWrapping:
    def test_a_foreign_dataset(self):
        dataset = PairDataset(FakeDataset([[1], [2, 1]]))
        key = encode_key(0, 0, SEED, 2)
        item = dataset[key]
        assert [(view['index'], view['shared_class']) for view in item] == [(0, 0), (1, 0)]
        assert item == dataset[key]
        assert item[0]['noise'] != item[1]['noise']
        assert dataset.metainfo['classes'] == ('background', 'a', 'b')

    @pytest.mark.parametrize('kind', ['RepeatDataset', 'ConcatDataset'])
    def test_mmengine_wrappers(self, config, kind):
        inner = dict(type='RepeatDataset', times=2, dataset=config)
        if kind == 'ConcatDataset':
            inner = dict(type='ConcatDataset', datasets=[config, config])
        dataset = build(inner)
        assert len(dataset) == 14
        assert len(dataset.images_of(3)) == 2
        assert len(dataset[encode_key(13, 0, SEED, 14)]) == 2

    def test_lazy(self, config):
        dataset = build({**config, 'lazy_init': True}, lazy_init=True)
        assert repr(dataset) == 'PairDataset of 2: not loaded yet'
        assert len(dataset) == 7
        dataset.full_init()
        assert 'PairDataset of 2 (a class of each image): 7 groups, 1 images without' in repr(
            dataset
        )
        assert '3 classes of 1 to 6 images, 1 of them with fewer than 2; WSSS' in repr(dataset)

    def test_it_survives_pickling(self, pairs):
        copy = pickle.loads(pickle.dumps(pairs))
        key = encode_key(1, 1, SEED, 7)
        assert copy.group(key) == pairs.group(key)


class TestLoading:
    def test_the_same_whatever_the_workers(self, pairs):
        expected = [epoch_of(loader_of(pairs), epoch) for epoch in range(2)]
        assert expected[0] != expected[1]
        for workers in (1, 2):
            loader = loader_of(pairs, workers)
            assert [epoch_of(loader, epoch) for epoch in range(2)] == expected

    @pytest.mark.parametrize('group_size', [2, 3])
    def test_two_ranks_see_what_one_sees(self, config, group_size):
        dataset = build(config, group_size=group_size)
        (one,) = (epoch_of(loader_of(dataset, drop_last=True), 2),)
        ranks = [
            epoch_of(loader_of(dataset, rank=rank, world_size=2, drop_last=True), 2)
            for rank in range(2)
        ]
        assert len(one) == 3
        for batch, parts in zip(one, zip(*ranks)):
            assert sorted(batch) == sorted(itertools.chain.from_iterable(parts))
            assert [len(part) for part in parts] == [group_size, group_size]

    def test_a_run_resumed_by_epoch_goes_on(self, pairs):
        loader = loader_of(pairs)
        expected = [epoch_of(loader, epoch) for epoch in range(4)]
        resumed = loader_of(pairs, workers=1)
        assert [epoch_of(resumed, epoch) for epoch in (2, 3)] == expected[2:]

    @pytest.mark.parametrize('workers', [0, 1])
    def test_a_run_resumed_by_iteration_goes_on(self, pairs, workers):
        whole = iter(loader_of(pairs, infinite=True))
        expected = [views(next(whole)) for _ in range(9)]
        loader = loader_of(pairs, workers, infinite=True)
        loader.sampler.skip(2 * 4)
        resumed = iter(loader)
        assert [views(next(resumed)) for _ in range(5)] == expected[4:]

    @pytest.mark.parametrize('group_size', [1, 2, 3, 4])
    def test_an_odd_last_batch(self, config, group_size):
        sizes = [len(b['inputs']) for b in loader_of(build(config, group_size=group_size))]
        assert sizes == [2 * group_size] * 3 + [group_size]

    @pytest.mark.parametrize('group_size', [1, 2, 3, 4])
    def test_the_model_gets_a_flat_batch(self, config, group_size):
        batch = next(iter(loader_of(build(config, group_size=group_size))))
        preprocessor = MODELS.build(
            dict(type='WSSSDataPreProcessor', mean=[0.0] * 3, std=[1.0] * 3, size=(8, 8))
        )
        data = preprocessor(batch, training=True)
        assert data['inputs'].shape == (2 * group_size, 3, 8, 8)
        samples = data['data_samples']
        places = [(s.group_size, s.view_index) for s in samples]
        assert places == [(group_size, view) for view in range(group_size)] * 2
        for group in (samples[:group_size], samples[group_size:]):
            assert len({(s.group_index, s.shared_class) for s in group}) == 1

    def test_the_collate_function_is_registered(self):
        assert FUNCTIONS.get('flatten_groups') is flatten_groups

    def test_a_forgotten_collate_function_is_named(self, pairs):
        batch = pseudo_collate([pairs[0], pairs[1]])
        with pytest.raises(TypeError, match='flatten_groups'):
            MODELS.build(dict(type='WSSSDataPreProcessor'))(batch, training=True)

    def test_the_sampler_takes_it(self, pairs):
        assert len(SeededSampler(pairs, seed=0)) == 7


def test_noise_seeds_belong_to_the_views(config):
    dataset = build(config, group_size=2)
    runs = []
    for batch_size in (2, 3):
        batches = loader_of(dataset, batch_size=batch_size)
        samples = [sample for batch in batches for sample in batch['data_samples']]
        runs.append({(s.group_index, s.view_index): s.noise_seed for s in samples})
    assert runs[0] == runs[1]
    assert len(set(runs[0].values())) == len(runs[0]) == 2 * len(dataset)
    assert 'noise_seed' not in dataset[0][0]['data_samples']  # no key, no seed


def test_noise_does_not_repeat_the_numbers_of_the_draw():
    key = encode_key(3, 0, SEED, 7)
    draw = np.random.SeedSequence(key, spawn_key=(0,)).generate_state(1, np.uint64)[0]
    assert noise_seed(key) != draw >> np.uint64(1)
    assert 0 <= noise_seed(key) < 1 << 63
