import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets import WSSSDataset
from mmwsss.datasets.converters import convert_folder, doubtful_classes
from mmwsss.datasets.label_map import load_colour_mask, read_label_map
from mmwsss.io.mask_io import load_mask, save_mask
from tests.oracles.coco_masks import run_lengths


def convert(tiny, **changes):
    options = {'labels': str(tiny / 'labels.csv'), **changes}
    return convert_folder(str(tiny / 'images'), tiny / 'out', **options)


def test_labels_and_masks_give_the_same_files(tiny):
    convert(tiny)
    first = {p.name: p.read_text() for p in (tiny / 'out').iterdir()}
    convert(tiny, labels=None, masks=str(tiny / 'masks'), classes=['cat', 'dog'])
    second = {p.name: p.read_text() for p in (tiny / 'out').iterdir()}
    assert {**second, 'statistics.json': ''} == {**first, 'statistics.json': ''}
    assert first['labels.csv'] == 'id,class names\nfirst,cat\nsecond,cat;dog\nthird,\n'
    assert first['classes.txt'] == 'cat\ndog\n'
    assert first['train.txt'] == 'first\nsecond\nthird\n'
    assert sorted(first) == ['classes.txt', 'labels.csv', 'statistics.json', 'train.txt']


def test_statistics(tiny):
    _, statistics = convert(tiny)
    assert statistics == {
        'images': 3,
        'failed': 0,
        'classes': {'1': 'cat', '2': 'dog'},
        'masks': 0,
        'mask_doubts': [],
        'file_doubts': [],
        'unlabeled': ['third'],
        'classes_per_labelled_image': 1.5,
        'height': {'min': 9, 'max': 12},
        'width': {'min': 8, 'max': 16},
        'splits': {'train': {'images': 3, 'images_with_class': {'cat': 2, 'dog': 1}}},
    }
    assert json.loads((tiny / 'out/statistics.json').read_text()) == statistics


def test_doubtful_classes_are_told():
    def of(**counts):
        return {'splits': {'train': {'images': 12, 'images_with_class': counts}}}

    assert doubtful_classes(of(cat=5, dog=4, cart=9)) == []
    assert doubtful_classes({**of(umbrella=8, umbrela=2)}) == [
        "class 'umbrela' (2 images) is nearly 'umbrella' (8 images): a misspelling in the labels?"
    ]
    assert (
        "'bycicle' (1 images) is nearly 'bicycle'" in doubtful_classes(of(bicycle=8, bycicle=1))[0]
    )
    for slip in ('cta', 'Cat', 'cats'):
        assert f"{slip!r} (1 images) is nearly 'cat'" in doubtful_classes(of(cat=5, **{slip: 1}))[0]
    assert doubtful_classes(of(cat=5, Cat=5, CAT=3, dog=4)) == [
        f"class {slip} is nearly 'cat' (5 images): a misspelling in the labels?"
        for slip in ("'Cat' (5 images)", "'CAT' (3 images)")
    ]
    assert doubtful_classes(of(cat=5, dog=1)) == ['1 classes have a single training image: dog']


def test_the_dataset_reads_what_it_writes(tiny):
    convert(tiny)
    dataset = WSSSDataset(
        data_root=str(tiny / 'out'),
        data_prefix={'img_path': str(tiny / 'images')},
        classes='classes.txt',
        ann_file='train.txt',
        labels={'source': 'csv', 'path': 'labels.csv'},
    )
    assert [info['img_label'] for info in dataset] == [[1], [1, 2], []]


def test_val_is_drawn_by_seed_and_disjoint(tmp_path):
    (tmp_path / 'images').mkdir()
    names = [f'{i:02d}' for i in range(20)]
    for name in names:
        Image.new('RGB', (3, 3)).save(tmp_path / f'images/{name}.png')
    (tmp_path / 'labels.csv').write_text(
        ''.join(f'{n},{"cat" * (i % 2)}\n' for i, n in enumerate(names))
    )
    drawn = {}
    for seed in (0, 0, 1):
        convert(tmp_path, val_fraction=0.25, seed=seed)
        train, val = ((tmp_path / f'out/{s}.txt').read_text().split() for s in ('train', 'val'))
        assert len(val) == 5
        assert sorted(train + val) == names
        assert drawn.setdefault(seed, val) == val
    assert drawn[0] != drawn[1]


def test_failures_are_named_and_left_out(tiny):
    (tiny / 'images/second.png').write_bytes((tiny / 'images/second.png').read_bytes()[:60])
    Image.new('RGB', (3, 3)).save(tiny / 'images/extra.jpg')
    (tiny / 'labels.csv').write_text((tiny / 'labels.csv').read_text() + 'gone,cat\n')
    report, statistics = convert(tiny)
    assert report.exit_code == 1
    assert sorted(report.failed) == ['extra', 'gone', 'second']
    assert 'an image, but no label' in report.failed['extra']
    assert 'a label, but no image' in report.failed['gone']
    assert statistics['failed'] == 3
    assert (tiny / 'out/train.txt').read_text() == 'first\nthird\n'


def test_files_that_are_not_read_are_warned_of(tiny):
    (tiny / 'images/phone.HEIC').write_bytes(b'')
    (tiny / 'images/.hidden.gif').write_bytes(b'')
    (tiny / 'images/second.NEF').write_bytes(b'')
    Image.new('L', (3, 3)).save(tiny / 'masks/secnod.png')
    (tiny / 'masks/notes.txt').write_text('')
    report, statistics = convert(tiny, true_masks=str(tiny / 'masks'))
    assert report.exit_code == 0
    assert statistics['file_doubts'] == [
        '1 images are of a kind that is not read: phone.HEIC; convert them',
        f'1 masks in {tiny / "masks"} are of no image: secnod',
    ]
    assert doubtful_classes(statistics)[-2:] == statistics['file_doubts']


@pytest.mark.parametrize('kind', ['xml', 'txt'])
def test_a_folder_of_labels_with_accents_apart_and_of_other_images(tiny, kind):
    next((tiny / 'images').glob('first.*')).rename(tiny / 'images/f\u00fcrst.png')
    labels = tiny / 'labels'
    labels.mkdir()
    content = {
        'xml': '<annotation><object><name>cat</name></object></annotation>',
        'txt': '0 .5 .5 .1 .1\n',
    }[kind]
    for name in ('fu\u0308rst', 'second', 'ghost', '.hidden'):
        (labels / f'{name}.{kind}').write_text(content)
    if kind == 'xml':
        (labels / 'third.XML').write_text('<annotation/>')
    else:
        (labels / 'classes.txt').write_text('cat\n')
        (labels / 'train.txt').write_text('images/second.png\n')
    report, statistics = convert(tiny, labels=str(labels))
    assert report.exit_code == 0
    written = (tiny / 'out/labels.csv').read_text()
    assert written == 'id,class names\nf\u00fcrst,cat\nsecond,cat\nthird,\n'
    assert statistics['file_doubts'] == [f'1 labels in {labels} are of no image: ghost']


def test_labels_that_nobody_has_made(tiny):
    tasks = [{'data': {'image': 'first.jpg'}, 'predictions': [{'result': []}]}]
    (tiny / 'tasks.json').write_text(json.dumps(tasks))
    with pytest.raises(ValueError, match=r'name no class of any image \(predictions count once'):
        convert(tiny, labels=str(tiny / 'tasks.json'))


def test_arguments_are_looked_at_before_the_images(tiny):
    with pytest.raises(ValueError, match=r'seed must lie in \[0, inf\), but got -1'):
        convert(tiny, seed=-1)
    (tiny / 'out').write_text('')
    with pytest.raises(FileExistsError, match='out is a file, where a folder is expected'):
        convert(tiny)


def test_bad_masks_are_named(tiny):
    save_mask(tiny / 'masks/first.png', np.zeros((3, 3), np.uint8))
    save_mask(tiny / 'masks/second.png', np.full((10, 8), 9, np.uint8))
    (tiny / 'masks/third.png').unlink()
    with pytest.raises(ValueError, match=r'no image of .* is in order') as error:
        convert(tiny, labels=None, masks=str(tiny / 'masks'), classes=['cat', 'dog'])
    for text in ('3 x 3', 'outside the list: 9', 'mask not found'):
        assert text in str(error.value)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'labels': None, 'masks': 'x'}, 'classes must be given'),
        ({'val_fraction': 1.0}, r'val_fraction must lie in \[0, 1\), but got 1.0'),
        ({'val_fraction': -0.1}, 'val_fraction must lie'),
        (
            {'classes': ['cat', 'dgo']},
            r"line 3: .* class 'dog' is unknown; the closest valid name is 'dgo'",
        ),
    ],
)
def test_bad_arguments(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        convert(tiny, **changes)


def test_classes_keep_their_given_order(tiny):
    convert(tiny, classes=['dog', 'cat', 'cow'])
    assert (tiny / 'out/classes.txt').read_text() == 'dog\ncat\ncow\n'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('picture,what\nfirst,cat\nsecond,dog\nthird,\n', "line 1: 'picture' is no image"),
        ('first,"cat, x"\nsecond,dog;cat\nthird,\n', "class 'cat, x': a class name must not hold"),
    ],
)
def test_odd_labels_make_no_classes(tiny, text, message):
    (tiny / 'odd.csv').write_text(text)
    with pytest.raises(ValueError, match=message):
        convert(tiny, labels=str(tiny / 'odd.csv'))


@pytest.mark.parametrize('label', ['cat', 'cat;dog', ''])
def test_constant_labels_are_refused(tiny, label):
    (tiny / 'odd.csv').write_text(f'first,{label}\nsecond,{label}\nthird,{label}\n')
    with pytest.raises(ValueError, match=r'all 3 images have the same label .*add images without'):
        convert(tiny, labels=str(tiny / 'odd.csv'), classes=['cat', 'dog'])


def test_one_image_is_converted_without_doubts(tiny):
    for path in (tiny / 'images').glob('[st]*'):
        path.unlink()
    (tiny / 'one.csv').write_text('first,cat\n')
    report, statistics = convert(tiny, labels=str(tiny / 'one.csv'))
    assert report.done == ['first']
    assert doubtful_classes(statistics) == ['1 classes have a single training image: cat']


def test_labels_that_teach_little_are_told(tiny):
    _, statistics = convert(tiny, classes=['cat', 'cow', 'dog'])
    single, unseen, negatives = doubtful_classes(statistics)
    assert 'a single training image: dog' in single
    assert '1 classes have no training image: cow' in unseen
    assert '1 images have no label and train as negatives: third' in negatives
    (tiny / 'odd.csv').write_text('first,cat\nsecond,cat;dog\nthird,cat;dog\n')
    _, statistics = convert(tiny, labels=str(tiny / 'odd.csv'))
    assert 'all 3 training images have the class cat' in doubtful_classes(statistics)[0]


def make_many(root, label_of, mask_of, count=12):
    """Images with a label and a mask by number; ``mask_of`` gives the class ids."""
    rows = []
    for i in range(count):
        mask = np.zeros((4, 4), np.uint8)
        for place, class_id in enumerate(mask_of(i)):
            mask[place] = class_id
        (root / 'images').mkdir(exist_ok=True)
        Image.fromarray(mask).save(root / f'images/{i:02d}.png')
        save_mask(root / f'masks/{i:02d}.png', mask)
        rows.append(f'{i:02d},{";".join(label_of(i))}\n')
    (root / 'labels.csv').write_text(''.join(rows))


IDS = ['first', 'second', 'third']
NAMES = ['cat', 'cow', 'dog']


@pytest.mark.parametrize(
    ('order', 'given'),
    [
        ('dog cow cat', 'dog cow cat'),
        ('cow dog cat', 'cow dog cat'),
        ('cat dog cow', 'cat dog cow'),
    ],
)
def test_masks_numbered_in_another_order_are_refused(tmp_path, order, given):
    order = order.split()
    make_many(
        tmp_path,
        lambda i: {NAMES[i % 3], NAMES[(i // 2) % 3]},
        lambda i: {1 + order.index(NAMES[k % 3]) for k in (i, i // 2)},
    )
    with pytest.raises(
        ValueError, match=f'lacks the class of an id .*only 0 times if .*--classes {given}$'
    ):
        convert(tmp_path, true_masks=str(tmp_path / 'masks'))
    _, statistics = convert(tmp_path, true_masks=str(tmp_path / 'masks'), classes=order)
    assert statistics['mask_doubts'] == []
    earlier = tmp_path / 'earlier.txt'
    earlier.write_text('\n'.join(order))
    _, statistics = convert(tmp_path, true_masks=str(tmp_path / 'masks'), earlier=earlier)
    assert statistics['mask_doubts'] == []
    earlier.write_text('cow\ndog')  # other classes: sorted as without
    with pytest.raises(ValueError, match='lacks the class of an id'):
        convert(tmp_path, true_masks=str(tmp_path / 'masks'), earlier=earlier)


def test_no_order_is_advised_where_ids_are_outside_the_list(tmp_path):
    make_many(
        tmp_path,
        lambda i: {NAMES[i % 3], NAMES[(i // 2) % 3]},
        lambda i: {(2, 3, 8)[k % 3] for k in (i, i // 2)},
    )
    report, _ = convert(tmp_path, true_masks=str(tmp_path / 'masks'))
    assert any('outside the list: 8' in error for error in report.failed.values())


def test_masks_that_contradict_some_labels_are_told(tmp_path):
    make_many(tmp_path, lambda i: [NAMES[i % 3]], lambda i: [1] if i == 4 or i % 3 == 0 else [2])
    convert(tmp_path, true_masks=str(tmp_path / 'masks'))
    _, statistics = convert(tmp_path, true_masks=str(tmp_path / 'masks'))
    surplus, absent = doubtful_classes(statistics)
    assert surplus.startswith(
        '5 of 12 masks hold classes that the label of their image does not have'
    )
    assert '02: cow, 04: cat, 05: cow' in surplus
    assert absent.endswith('no mask has (number of images): dog (4)')


def test_two_images_are_no_proof_of_another_order(tmp_path):
    rare = {3: (['cow'], [1]), 5: (['cat'], [2])}
    make_many(tmp_path, lambda i: rare.get(i, (['dog'],))[0], lambda i: rare.get(i, (0, [3]))[1])
    _, statistics = convert(tmp_path, true_masks=str(tmp_path / 'masks'))
    assert statistics['mask_doubts'][0].startswith('2 of 12 masks hold classes')


def test_val_has_an_image_of_every_class_and_leaves_one(tmp_path):
    rare = {3: ['cow'], 5: ['cow'], 7: ['dog'], 9: ['dog'], 11: ['emu']}
    make_many(tmp_path, lambda i: rare.get(i, ['cat'] * (i % 2)), lambda i: [], count=20)
    for seed in range(5):
        _, statistics = convert(tmp_path, val_fraction=0.15, seed=seed)
        counts = {k: s['images_with_class'] for k, s in statistics['splits'].items()}
        assert counts['val'] == {'cat': 1, 'cow': 1, 'dog': 1, 'emu': 0}
        assert counts['train'] == {'cat': 5 - 1, 'cow': 1, 'dog': 1, 'emu': 1}
    _, statistics = convert(tmp_path, val_fraction=0.5)
    assert statistics['splits']['val']['images'] == 10
    for i in range(17):
        (tmp_path / f'masks/{i:02d}.png').unlink()
    convert(tmp_path, val_fraction=0.5, true_masks=str(tmp_path / 'masks'))
    assert (tmp_path / 'out/val.txt').read_text().split() == ['17', '18', '19']
    before = (tmp_path / 'out/train.txt').read_text()
    with pytest.raises(ValueError, match=r'val.txt, .* holds out 3 of the images that would train'):
        convert(tmp_path)
    assert (tmp_path / 'out/train.txt').read_text() == before
    (tmp_path / 'out/val.txt').unlink()
    convert(tmp_path)
    assert len((tmp_path / 'out/train.txt').read_text().split()) == 20


def test_labels_may_begin_with_the_folders_of_the_images(tiny):
    (tiny / 'names.csv').write_text(
        f'id,names\nimages/first.jpg,cat\n{tiny.name}/images/second,dog\nthird,\n'
    )
    convert_folder(str(tiny / 'images'), tiny / 'out', labels=str(tiny / 'names.csv'))
    rows = (tiny / 'out/labels.csv').read_text().split()
    assert sorted(rows[2:]) == ['first,cat', 'second,dog', 'third,']


@pytest.mark.parametrize('name', ['', 'big\ncat'])
def test_names_that_are_no_line_of_a_file_are_refused(tiny, name):
    labels = {'first': [' cat'], 'second': ['cat ', name], 'third': []}
    (tiny / 'labels.json').write_text(json.dumps(labels))
    with pytest.raises(
        ValueError, match=f'class {name!r}: a class name must be a line of'.replace('\\', '.')
    ):
        convert(tiny, labels=str(tiny / 'labels.json'))
    labels['second'].pop()
    (tiny / 'labels.json').write_text(json.dumps(labels))
    convert(tiny, labels=str(tiny / 'labels.json'))
    assert (tiny / 'out/classes.txt').read_text() == 'cat\n'


def test_true_masks_of_no_image_are_refused(tiny):
    for path in (tiny / 'masks').iterdir():
        path.rename(path.with_name(f'{path.stem}_mask.png'))
    with pytest.raises(ValueError, match=r'no mask in .*masks is named as .*, such as first\.png'):
        convert(tiny, true_masks=str(tiny / 'masks'), val_fraction=0.4)
    convert(tiny, true_masks=str(tiny / 'none'), val_fraction=0.4)


def test_labels_without_any_class(tiny):
    (tiny / 'names.csv').write_text('id,names\nfirst,\nsecond,\nthird,\n')
    with pytest.raises(ValueError, match='the labels name no class of any image'):
        convert(tiny, labels=str(tiny / 'names.csv'))


def test_labels_of_another_folder_are_of_no_image(tiny):
    (tiny / 'names.csv').write_text('id,names\nphotos/first,cat\nsecond,dog\nthird,\n')
    report, _ = convert_folder(tiny / 'images', None, str(tiny / 'names.csv'))
    assert set(report.failed) == {'photos/first', 'first'}


COLOURS = 'background:0,0,0::\ncat:128,0,0::\nbig dog:0,128,64::\nhorse:9,9,9::\n'


@pytest.mark.parametrize('stored', ['RGB', 'RGBA', 'P'])
def test_masks_in_colours(tiny, stored):
    (tiny / 'labelmap.txt').write_text(f'# label:color_rgb:parts:actions\n{COLOURS}')
    (tiny / 'names.csv').write_text('first,cat\nsecond,cat;big dog\nthird,\n')
    colours, swapped = np.zeros((256, 3), np.uint8), np.arange(256)
    colours[[1, 2, 255]] = [[128, 0, 0], [0, 128, 64], [224, 224, 192]]
    swapped[[1, 2]] = [2, 1]  # "big dog" comes before "cat"
    before = {name: np.array(Image.open(tiny / f'masks/{name}.png')) for name in IDS}
    for name, mask in before.items():
        shown = Image.fromarray(colours[mask])
        shown.convert(stored, palette=Image.Palette.ADAPTIVE).save(tiny / f'masks/{name}.png')
    options = dict(
        labels=str(tiny / 'names.csv'),
        true_masks=str(tiny / 'masks'),
        label_map=str(tiny / 'labelmap.txt'),
    )
    report, statistics = convert(tiny, **options)
    assert report.failed == {}
    assert statistics['classes'] == {'1': 'big dog', '2': 'cat'}
    assert statistics['mask_doubts'] == []
    for name, mask in before.items():
        np.testing.assert_array_equal(load_mask(tiny / f'out/masks/{name}.png'), swapped[mask])
    options.update(labels=None, true_masks=None, masks=str(tiny / 'masks'))
    (tiny / 'labelmap.txt').write_text(f'{COLOURS}void:224,224,192::\nant:9,9,8::\n')
    _, statistics = convert(tiny, **options)
    assert list(statistics['classes'].values()) == ['ant', 'big dog', 'cat', 'horse']
    with pytest.raises(ValueError, match='move those of colours elsewhere'):
        convert(tiny, **{**options, 'masks': str(tiny / 'out/masks')})


def outlines(tiny, **changes):
    """COCO's JSON of the tiny masks: run lengths of each class of each image, "first" below a folder."""
    masks = {name: load_mask(tiny / f'masks/{name}.png') for name in ('first', 'second')}
    images = [
        {'id': 5 * i, 'file_name': f'{name}.png', 'height': mask.shape[0], 'width': mask.shape[1]}
        for i, (name, mask) in enumerate(masks.items())
    ]
    annotations = [
        {
            'id': len(masks) * k + i,
            'image_id': 5 * i,
            'category_id': 10 - k,
            'segmentation': {'size': list(mask.shape), 'counts': run_lengths(mask == k)},
        }
        for i, mask in enumerate(masks.values())
        for k in (1, 2)
        if (mask == k).any()
    ]
    categories = [{'id': 9, 'name': 'cat'}, {'id': 8, 'name': 'dog'}, {'id': 3, 'name': 'unused'}]
    content = dict(images=images, annotations=annotations, categories=categories)
    content['images'][0].update(changes)
    (tiny / 'outlines.json').write_text(json.dumps(content))
    return str(tiny / 'outlines.json'), masks


@pytest.mark.parametrize('name', ['first.png', 'images/../x/first.jpg'])
def test_masks_as_outlines(tiny, name):
    pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    path, masks = outlines(tiny, file_name=name)
    report, statistics = convert(tiny, true_masks=path, val_fraction=0.4)
    assert (report.failed, statistics['masks'], statistics['mask_doubts']) == ({}, 2, [])
    assert sorted(path.name for path in (tiny / 'out/masks').iterdir()) == [
        'first.png',
        'second.png',
    ]
    for image_id, mask in masks.items():
        found = load_mask(tiny / f'out/masks/{image_id}.png', 3, image_size=mask.shape)
        np.testing.assert_array_equal(found, np.where(mask == 255, 0, mask))
    assert (tiny / 'out/val.txt').read_text().split()[0] in masks


def test_outlines_of_more_classes_than_a_byte_holds(tiny):
    pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    path, _ = outlines(tiny)
    content = json.loads(Path(path).read_text())
    names = [f'c{i:03}' for i in range(300)]
    content['categories'] = [{'id': i, 'name': name} for i, name in enumerate(names, start=1)]
    for item in content['annotations']:
        item['category_id'] = 299
    Path(path).write_text(json.dumps(content))
    report, _ = convert(tiny, labels=None, masks=path, classes=names)
    assert 'first' in report.done
    ids = np.unique(load_mask(tiny / 'out/masks/first.png', 302))
    assert ids.tolist() == [0, 300]  # c298 would be 299, but no class has 255


def test_outlines_that_do_not_fit(tiny):
    pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    path, masks = outlines(tiny, height=99)
    report, _ = convert(tiny, true_masks=path)
    height, width = masks['first'].shape
    assert list(report.failed) == ['first']
    assert (
        f'height and width of the image, ({height}, {width}), but got (99, {width})'
        in (report.failed['first'])
    )
    with pytest.raises(ValueError, match='what no outline covers is background'):
        convert(tiny, true_masks=path, background=False)
    with pytest.raises(ValueError, match="class 'dog' is unknown"):
        convert(tiny, labels=None, masks=path, classes=['cat'])
    report, _ = convert(tiny, labels=None, masks=outlines(tiny)[0], classes=['cat', 'dog'])
    assert list(report.failed) == ['third']
    assert 'has no such image' in report.failed['third']


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('cow 1 2 3', 'line 5: expected "name:r,g,b::"'),
        ('cow:1,2,300::', 'line 5: expected "name:r,g,b::" with numbers in 0..255'),
        ('cow:128,0,0::', "line 5: name and colour must be new, .* is like 'cat'"),
        ('cat:1,2,3::', 'line 5: name and colour must be new'),
    ],
)
def test_bad_label_maps(tmp_path, line, message):
    (tmp_path / 'labelmap.txt').write_text(f'{COLOURS}{line}\n')
    with pytest.raises(ValueError, match=message):
        read_label_map(tmp_path / 'labelmap.txt')


@pytest.mark.parametrize(
    ('colour', 'message'),
    [((9, 9, 9), r"9,9,9 \('horse', no class\)"), ((1, 0, 0), '100.0% of the pixels .*: 1,0,0')],
)
def test_strange_colours_are_named(tmp_path, colour, message):
    (tmp_path / 'labelmap.txt').write_text(COLOURS)
    Image.new('RGB', (3, 3), colour).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match=message):
        load_colour_mask(tmp_path / 'a.png', read_label_map(tmp_path / 'labelmap.txt'), {'cat': 1})


def test_colours_of_a_label_map_without_background_or_with_other_uses(tmp_path):
    (tmp_path / 'labelmap.txt').write_text('cat:9,9,9::\nsky:224,224,192::\n')
    label_map, picture = read_label_map(tmp_path / 'labelmap.txt'), Image.new('RGB', (3, 1))
    picture.putpixel((0, 0), (9, 9, 9))
    picture.save(tmp_path / 'a.png')
    assert load_colour_mask(tmp_path / 'a.png', label_map, {'cat': 1}).tolist() == [[1, 0, 0]]
    picture.putpixel((1, 0), (1, 2, 3))
    picture.paste((224, 224, 192), (1, 0, 3, 1))  # VOC's cream, but not here
    picture.putpixel((0, 0), (1, 2, 3))
    picture.save(tmp_path / 'a.png')
    with pytest.raises(
        ValueError, match=r"224,224,192 \('sky', no class\), 1,2,3"
    ):  # commonest first
        load_colour_mask(tmp_path / 'a.png', label_map, {'cat': 1})


def test_label_maps_with_a_mark_or_without_classes(tmp_path):
    path = tmp_path / 'labelmap.txt'
    path.write_text('cat:9,9,9::\nignore:0,0,0::\n', encoding='utf-8-sig')
    Image.new('RGB', (1, 1)).save(tmp_path / 'a.png')
    label_map = read_label_map(path)
    assert list(label_map) == ['cat', 'ignore']
    assert load_colour_mask(tmp_path / 'a.png', label_map, {'cat': 1}).tolist() == [[255]]
    path.write_text('background:0,0,0::\nvoid:9,9,9::\n')
    with pytest.raises(ValueError, match='names no class'):
        read_label_map(path)


def test_deep_colour_masks(tmp_path):
    (tmp_path / 'labelmap.txt').write_text(COLOURS)
    Image.new('RGB', (2, 1), (128, 0, 0)).save(tmp_path / 'a.png')
    mask = load_colour_mask(
        tmp_path / 'a.png', read_label_map(tmp_path / 'labelmap.txt'), {'cat': 300}
    )
    assert mask.tolist() == [[300, 300]]
