from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.pascal_b_builder import (
    CATEGORY_TABLE,
    CLASSES,
    Candidate,
    choose_images,
    count_all,
    count_objects,
    list_candidates,
    read_category_table,
    read_source,
    render,
    statistics,
    voc_candidates,
    write_set,
)
from mmwsss.io import load_mask

SIZE = (40, 50)


def box(x, y, w, h):
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def annotation_file(path, images, annotations, categories, *, is_lvis):
    """A COCO or LVIS JSON; ``images`` are ids with further entries."""
    entries = []
    for i, extra in images.items():
        name = f'{i:012d}.jpg'
        where = {'coco_url': f'http://images/val2017/{name}'} if is_lvis else {'file_name': name}
        entries.append(dict(id=i, height=SIZE[0], width=SIZE[1], **where, **extra))
    content = dict(
        images=entries,
        annotations=[
            dict(id=n, image_id=i, category_id=c, segmentation=s, **extra)
            for n, (i, c, s, extra) in enumerate(annotations, start=1)
        ],
        categories=[dict(id=c, name=name) for c, name in categories.items()],
    )
    Path(path).write_text(json.dumps(content))
    return path


@pytest.fixture
def sources(tmp_path):
    """Image 1: LVIS objects and a potted plant; 2: a person not verified by LVIS; 3: not exhaustive;
    4: only in COCO; 5: no object of ours; 6: persons verified absent by LVIS, a crowd of sheep in COCO.
    """
    lvis = annotation_file(
        tmp_path / 'lvis.json',
        {
            1: dict(not_exhaustive_category_ids=[], neg_category_ids=[]),
            2: dict(not_exhaustive_category_ids=[99], neg_category_ids=[]),
            3: dict(not_exhaustive_category_ids=[7], neg_category_ids=[]),
            5: {},
            6: dict(not_exhaustive_category_ids=[], neg_category_ids=[9]),
        },
        [
            (1, 7, box(2, 2, 10, 10), {}),
            (1, 8, box(8, 8, 4, 4), {}),  # on top: smaller
            (2, 7, box(0, 0, 5, 5), {}),
            (3, 7, box(0, 0, 5, 5), {}),
            (5, 99, box(0, 0, 5, 5), {}),
            (6, 8, box(0, 0, 5, 5), {}),
        ],
        {7: 'puppy', 8: 'beer_bottle', 9: 'person', 99: 'pizza'},
        is_lvis=True,
    )
    coco = annotation_file(
        tmp_path / 'coco.json',
        {i: {} for i in range(1, 7)},
        [
            (1, 64, box(30, 20, 10, 10), {}),
            (1, 18, box(2, 2, 10, 10), {}),  # the dog, which LVIS has as well
            (2, 1, box(20, 20, 6, 6), dict(iscrowd=0)),
            (4, 64, box(0, 0, 5, 5), {}),
            (6, 1, box(20, 20, 6, 6), {}),
            (6, 20, dict(size=list(SIZE), counts=[0, 40, 1960]), dict(iscrowd=1)),
        ],
        {64: 'potted plant', 18: 'dog', 1: 'person', 20: 'sheep', 59: 'pizza'},
        is_lvis=False,
    )
    table = read_category_table()
    return read_source([coco], 'coco', table), read_source([lvis], 'lvis', table)


def names_of(candidates):
    return [int(c.name) for c in candidates]


def test_lvis_gives_objects_and_coco_the_potted_plants(sources):
    coco, lvis = sources
    candidates = {int(c.name): c for c in list_candidates(coco, lvis)}
    assert sorted(candidates) == [1, 2, 6]
    classes, instances = render(candidates[1])
    plant, dog, bottle = (CLASSES.index(n) for n in ('pottedplant', 'dog', 'bottle'))
    assert np.unique(classes).tolist() == sorted((0, plant, dog, bottle))
    assert (classes == plant).sum() == 100
    assert (classes == dog).sum() == 84
    assert (classes == bottle).sum() == 16
    assert [np.unique(classes[instances == i]).tolist() for i in (1, 2, 3)] == [
        [dog],
        [plant],
        [bottle],
    ]


def test_objects_that_lvis_did_not_verify_are_ignored(sources):
    coco, lvis = sources
    candidates = {int(c.name): c for c in list_candidates(coco, lvis)}
    classes, instances = render(candidates[2])
    assert (classes[20:26, 20:26] == 255).all()
    assert (instances[20:26, 20:26] == 255).all()
    assert (classes == 255).sum() == 36
    classes, _ = render(candidates[6])  # persons are verified to be absent, the crowd is ignored
    assert (classes[20:26, 20:26] == 0).all()
    assert (classes[5:, 0] == 255).all()
    assert (classes == 255).sum() == 35  # its first five pixels lie under the bottle


@pytest.mark.parametrize('annotated', [False, True])
def test_a_class_is_verified_by_all_of_its_categories(tmp_path, annotated):
    bird = CLASSES.index('bird')
    lvis = annotation_file(
        tmp_path / 'lvis.json',
        {1: dict(neg_category_ids=[] if annotated else [1]), 2: dict(neg_category_ids=[1, 2])},
        [
            (1, 3, box(30, 30, 5, 5), {}),
            (2, 3, box(30, 30, 5, 5), {}),
            *([(1, 1, box(0, 0, 4, 4), {})] if annotated else []),
        ],
        {1: 'duck', 2: 'eagle', 3: 'person'},
        is_lvis=True,
    )
    birds = [
        (1, 16, box(0, 0, 4, 4), {}),
        (1, 16, box(10, 10, 6, 6), {}),
        (2, 16, box(10, 10, 6, 6), {}),
    ]
    coco = annotation_file(tmp_path / 'c.json', {1: {}, 2: {}}, birds, {16: 'bird'}, is_lvis=False)
    table = read_category_table()
    found = list_candidates(read_source([coco], 'coco', table), read_source([lvis], 'lvis', table))
    (one, _), (two, _) = map(render, found)
    assert (one[:4, :4] == (bird if annotated else 255)).all()
    assert (one[10:16, 10:16] == 255).all()  # it may be an eagle, for which LVIS did not look
    assert (two[10:16, 10:16] == 0).all()


def test_images_not_exhaustively_annotated_or_excluded_are_dropped(sources):
    coco, lvis = sources
    assert 3 not in names_of(list_candidates(coco, lvis))
    assert 2 in names_of(list_candidates(coco, lvis))  # there only pizza is not exhaustive
    assert names_of(list_candidates(coco, lvis, excluded=['000000000002'])) == [1, 6]


def test_of_objects_of_one_size_the_later_annotation_lies_on_top():
    objects = [(1, box(0, 0, 4, 4), 9), (2, box(2, 0, 4, 4), 5)]
    classes, instances = render(Candidate('x', SIZE, objects, []))
    assert classes[0, :7].tolist() == [1, 1, 1, 1, 2, 2, 0]
    assert instances[0, :7].tolist() == [2, 2, 2, 2, 1, 1, 0]


def test_coco_alone_gives_all_classes(sources):
    candidates = {int(c.name): c for c in list_candidates(sources[0])}
    assert sorted(candidates) == [1, 2, 4, 6]
    classes, _ = render(candidates[2])
    assert (classes == CLASSES.index('person')).sum() == 36


def test_counts_visible_objects_by_size():
    classes = np.zeros((200, 200), dtype=np.uint8)
    instances = np.zeros_like(classes)
    for number, (side, c) in enumerate([(31, 1), (32, 1), (95, 2), (96, 20)], start=1):
        area = (slice(0, side), slice(0, side)) if number == 4 else None
        area = area or (slice(100, 100 + side), slice(100, 100 + side))
        classes[area], instances[area] = c, number
        if number != 4:
            counts = count_objects(classes, instances)
            assert counts.sum() == 1
            assert counts[c - 1, 0 if side == 31 else 1] == 1
            classes[area], instances[area] = 0, 0
    classes[150:160, 150:160], instances[150:160, 150:160] = 255, 255
    assert count_objects(classes, instances)[19].tolist() == [0, 0, 1]
    assert count_objects(classes, instances).sum() == 1


def write_images(folder, names):
    folder.mkdir()
    for name in names:
        Image.new('RGB', SIZE[::-1], (int(name), 0, 0)).save(folder / f'{name}.jpg')


def read_all(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()
    }


def test_the_same_list_gives_the_same_bytes(sources, tmp_path):
    candidates = {c.name: c for c in list_candidates(*sources)}
    write_images(tmp_path / 'images', candidates)
    counts = count_all(list(candidates.values()))
    names = choose_images(counts, target=2, max_images=2, seed=3)
    assert names == choose_images(counts, target=2, max_images=2, seed=3)
    summary = statistics(counts, names)
    for out in ('one', 'two'):
        write_set(tmp_path / out, candidates, names, [tmp_path / 'images'], summary)
    one, two = read_all(tmp_path / 'one'), read_all(tmp_path / 'two')
    assert one == two
    assert len(one) == 3 * len(names) + 2
    listed = (tmp_path / 'one/ImageSets/Segmentation/val.txt').read_text().split()
    assert listed == names
    for name, classes, instances in voc_candidates(tmp_path / 'one', names):
        np.testing.assert_array_equal(classes, render(candidates[name])[0])
        np.testing.assert_array_equal(count_objects(classes, instances), counts[name])
        jpg = tmp_path / 'one/JPEGImages' / f'{name}.jpg'
        assert jpg.read_bytes() == (tmp_path / 'images' / f'{name}.jpg').read_bytes()
    load_mask(tmp_path / 'one/SegmentationClass' / f'{names[0]}.png', num_classes=21)


def test_statistics_count_before_and_after(sources):
    counts = count_all(list_candidates(*sources))
    summary = statistics(counts, ['000000000001'])
    assert summary['before']['images'] == 3
    assert summary['after']['images'] == 1
    assert summary['before']['objects']['bottle'] == {'S': 2, 'M': 0, 'L': 0}
    assert summary['after']['objects']['bottle'] == {'S': 1, 'M': 0, 'L': 0}
    assert summary['after']['objects']['aeroplane'] == {'S': 0, 'M': 0, 'L': 0}


def test_workers_count_the_same(sources):
    candidates = list_candidates(*sources)
    alone, shared = count_all(candidates), count_all(candidates, workers=1)
    assert alone.keys() == shared.keys()
    for name, expected in alone.items():
        np.testing.assert_array_equal(shared[name], expected)


def test_the_table_gives_every_class_a_category():
    table = read_category_table()
    assert set(table['coco'].values()) == set(CLASSES[1:])
    assert set(table['lvis'].values()) == set(CLASSES[1:]) - {'pottedplant'}
    rows = list(csv.DictReader(CATEGORY_TABLE.read_text().splitlines()))
    assert all(row['reason'] for row in rows)
    assert [row['category'] for row in rows if not row['class']]


def test_malformed_tables_and_files(tmp_path, sources):
    path = tmp_path / 'table.csv'
    path.write_text('source,category,class,reason\nlvis,dog,wolf,x\n')
    with pytest.raises(ValueError, match="line 2: class 'wolf' is unknown"):
        read_category_table(path)
    with pytest.raises(ValueError, match='none of its categories is a lvis category'):
        read_source([tmp_path / 'coco.json'], 'lvis', {'lvis': {'puppy': 'dog'}})
    candidates = {c.name: c for c in list_candidates(*sources)}
    with pytest.raises(ValueError, match=r'1 images are no candidates .*: 77'):
        write_set(tmp_path / 'o', candidates, ['77'], [], {})
    with pytest.raises(FileNotFoundError, match=r'000000000001\.jpg is in none of'):
        write_set(tmp_path / 'o', candidates, ['000000000001'], [tmp_path], {})
    with pytest.raises(ValueError, match="image 'x': a polygon must be"):
        render(Candidate('x', SIZE, [(1, [[0, 0]], 1)], []))
    assert not (tmp_path / 'o').exists()


def test_more_objects_than_a_map_has_numbers(tmp_path):
    objects = [(i, 1, box(0, 0, 2, 2), {}) for i, n in ((1, 254), (2, 255)) for _ in range(n)]
    path = annotation_file(
        tmp_path / 'c.json', {1: {}, 2: {}}, objects, {1: 'person'}, is_lvis=False
    )
    coco = read_source([path], 'coco', read_category_table())
    (kept,) = list_candidates(coco)
    assert kept.name == '000000000001'
    assert render(kept)[1].max() == 254
    with pytest.raises(ValueError, match='or of more than 254 objects'):
        write_set(tmp_path / 'o', {kept.name: kept}, ['000000000002'], [], {})


def test_sources_without_an_image_in_common(tmp_path, sources):
    path = annotation_file(tmp_path / 'c.json', {77: {}}, [], {1: 'person'}, is_lvis=False)
    other = read_source([path], 'coco', read_category_table())
    with pytest.raises(
        ValueError, match=r"first images: coco: '000000000077', lvis: '000000000001'"
    ):
        list_candidates(other, sources[1])
