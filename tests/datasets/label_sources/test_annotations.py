"""Labels as other tools write them."""

import json

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.converters import convert_folder
from mmwsss.datasets.label_sources import ClassTable, read_npy
from mmwsss.datasets.label_sources.annotations import (
    load_names,
    names_of_folders,
    names_of_pattern,
    stray_labels,
)

IDS = ['cat/a', 'dog/b', 'background/c']


def names(rows):
    return {image_id: found for image_id, (found, _) in rows.items()}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding='utf-8')
    return str(path)


def test_folders():
    assert names(names_of_folders(IDS)) == {
        'cat/a': ['cat'],
        'dog/b': ['dog'],
        'background/c': [],
    }
    with pytest.raises(ValueError, match='1 of 2 images lie in no folder of a class: d'):
        names_of_folders(['cat/a', 'd'])


@pytest.mark.parametrize(
    ('pattern', 'found'),
    [
        ('(cat|dog|)_', [['cat'], ['dog'], []]),
        (r'(t/)?(?P<class>[a-z]*)_(?P<class2>[a-z]+)?', [['cat'], ['dog', 'cat'], []]),
        (r'(cat)?_(cat)?', [['cat'], ['cat'], []]),
    ],
)
def test_patterns(pattern, found):
    rows = names_of_pattern(['t/cat_1', 't/dog_cat_2', '_3'], pattern)
    assert list(names(rows).values()) == found


@pytest.mark.parametrize(
    ('pattern', 'message'),
    [
        ('cat', 'needs a group'),
        ('(cat', 'no regular expression'),
        ('(cat)_', '1 of 2 names do not match: dog_2 .a negative needs'),
    ],
)
def test_patterns_that_do_not_fit(pattern, message):
    with pytest.raises(ValueError, match=message):
        names_of_pattern(['cat_1', 'dog_2'], pattern)


@pytest.mark.parametrize(
    ('file', 'content'),
    [
        ('data.yaml', 'names: [cat, dog]\nnc: 2\n'),
        ('data.yaml', 'names:\n  0: cat\n  1: dog\n'),
        ('labels/classes.txt', 'cat\ndog\n'),
        ('labels/obj.names', 'cat\ndog\n'),
        ('labels/train/classes.txt', 'cat\ndog\n'),
    ],
)
def test_yolo(tmp_path, file, content):
    write(tmp_path / file, content)
    write(tmp_path / 'labels/train/cat/a.txt', '0 .5 .5 .1 .1\n0 0.5 0.5 0.2 0.2\n')
    write(tmp_path / 'labels/train/dog/b.txt', '1 .5 .5 .1 .1 .9 .3\n\n0 .5 .5 .1 .1\n')
    found = names(load_names(str(tmp_path / 'labels/train'), IDS))
    assert found == {'cat/a': ['cat', 'cat'], 'dog/b': ['dog', 'cat'], 'background/c': []}


@pytest.mark.parametrize(
    ('classes', 'line', 'message'),
    [
        (
            'names: [cat]',
            '1 .5 .5 .1 .1',
            r'line 1: expected "class x y width height" .* of 0\.\.0',
        ),
        ('names: [cat]', 'cat .5 .5 .1 .1', 'line 1: expected'),
        ('names: [cat]', '0 .5', 'line 1: expected'),
        ('nc: 1', '0 .5 .5 .1 .1', 'expected "names"'),
        ('names: {a: b}', '0 .5 .5 .1 .1', 'expected "names"'),
        (':\n- [', '0 .5 .5 .1 .1', 'is not YAML'),
    ],
)
def test_bad_yolo(tmp_path, classes, line, message):
    write(tmp_path / 'data.yaml', classes)
    write(tmp_path / 'labels/cat/a.txt', line)
    with pytest.raises(ValueError, match=message):
        load_names(str(tmp_path / 'labels'), IDS)


def test_folders_without_labels(tmp_path):
    write(tmp_path / 'labels/readme.md', '')
    with pytest.raises(FileNotFoundError, match=r'none of data\.yaml.* is in it or above it'):
        load_names(str(tmp_path / 'labels'), IDS)
    write(tmp_path / 'labels/classes.txt', 'cat\n')
    with pytest.raises(ValueError, match=r'holds no file <id>\.txt of YOLO'):
        load_names(str(tmp_path / 'labels'), IDS)


def test_voc_xml(tmp_path):
    write(
        tmp_path / 'xml/cat/a.xml',
        '<annotation><object><name>cat</name></object></annotation>',
    )
    assert names(load_names(str(tmp_path / 'xml'), IDS)) == {'cat/a': ['cat']}


def test_names_of_files_count_before_their_accents(tmp_path):
    content = '<annotation><object><name>{}</name></object></annotation>'
    write(tmp_path / 'xml/\u00fc.xml', content.format('cat'))
    write(tmp_path / 'xml/u\u0308.xml', content.format('dog'))
    found = names(load_names(str(tmp_path / 'xml'), ['\u00fc', 'u\u0308']))
    assert found == {'\u00fc': ['cat'], 'u\u0308': ['dog']}
    assert stray_labels(tmp_path / 'xml', ['u\u0308']) == ['\u00fc']
    with pytest.raises(ValueError, match=r'no <id>\.xml of VOC of an image'):
        load_names(str(tmp_path / 'xml'), ['a'])


CVAT = """<annotations><version>1.1</version>
<image id="0" name="cat/a.JPG" width="9" height="9">
  <tag label="cat" source="manual"/><box label="dog" xtl="1" ytl="1" xbr="2" ybr="2"/>
  <box label="dog"/></image>
<image id="1" name="dog\\b.png"><polygon label="dog" points="1,2"/></image>
<image id="2" name="background/c.png"/>
</annotations>"""


def test_cvat(tmp_path):
    found = names(load_names(write(tmp_path / 'annotations.xml', CVAT), IDS))
    assert found == {'cat/a': ['cat', 'dog'], 'dog/b': ['dog'], 'background/c': []}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<annotation><object/></annotation>', 'has no <image>'),
        ('<a><image name="x"><tag/></image></a>', "image 'x'.: expected a new name"),
        ('<a><image name="x"/><image name="x.jpg"/></a>', "image 'x'.: expected a new name"),
        ('<a', 'not well-formed'),
        ('<!DOCTYPE a><a/>', 'refused'),
    ],
)
def test_bad_cvat(tmp_path, text, message):
    with pytest.raises(ValueError, match=message.replace("'.:", "':")):
        load_names(write(tmp_path / 'a.xml', text), IDS)


def result(**value):
    return [{'result': [{'type': next(iter(value)), 'value': value}]}]


STUDIO = [
    {
        'data': {'image': '/data/upload/1/0a1b2c3d-a.jpg'},
        'annotations': result(choices=['cat', 'dog']),
    },
    {
        'data': {'image': '/data/local-files/?d=my/dog/b.png'},
        'annotations': result(rectanglelabels=['dog'], x=1),
    },
    {'data': {'image': 'https://host/x/background/c.png?k=1'}, 'annotations': [{'result': []}]},
]
MINIMAL = [
    {'image': 'a.jpg', 'choice': {'choices': ['cat', 'dog']}, 'id': 1},
    {'image': 'dog/b.jpg', 'choice': 'dog', 'annotator': 1},
    {'image': 'c.jpg', 'label': [], 'choice': ''},
]


OTHER_NAME = [  # of the control; a single choice is written as a text
    {'image': 'a.jpg', 'animal': {'choices': ['cat', 'dog']}, 'annotator': 'cat'},
    {'image': 'dog/b.jpg', 'animal': 'dog', 'created_at': '2026-01-01'},
    {'image': 'c.jpg'},
]


RELATED = [  # objects that an annotator connected
    {
        **STUDIO[0],
        'annotations': [
            {
                'result': [
                    *STUDIO[0]['annotations'][0]['result'],
                    {'type': 'relation', 'labels': ['on']},
                ]
            }
        ],
    },
    *STUDIO[1:],
]


@pytest.mark.parametrize('content', [STUDIO, MINIMAL, OTHER_NAME, RELATED])
def test_label_studio(tmp_path, content):
    path = write(tmp_path / 'export.json', content)
    expected = {'cat/a': ['cat', 'dog'], 'dog/b': ['dog'], 'background/c': []}
    assert names(load_names(path, IDS)) == expected


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ([*STUDIO, STUDIO[0]], "task 4: the image 'cat/a' is there already .*task 1"),
        ([{'data': {'text': 'x'}}], 'task 1: expected an "image"'),
        ([{'data': 'x/image.jpg'}], 'task 1: expected an "image"'),
        ([{'data': None}], 'task 1: expected an "image"'),
        ([{**STUDIO[0], 'annotations': ['x']}], 'task 1: expected a list of annotations'),
        ([{**STUDIO[0], 'annotations': 5}], 'task 1: expected a list of annotations, but got 5'),
        ([{'data': {'image': 'http://[x'}}], r"task 1: the image 'http://\[x' cannot be read"),
        (['x'], 'task 1: expected an export of Label Studio'),
        (OTHER_NAME[1:], 'no choice or label is found in any task; .*: export JSON instead'),
    ],
)
def test_bad_label_studio(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load_names(write(tmp_path / 'export.json', change), IDS)


def test_tasks_that_nobody_did_are_no_negatives(tmp_path):
    cancelled = {**STUDIO[0], 'annotations': [{'was_cancelled': True, 'result': []}]}
    new = {'data': {**STUDIO[2]['data'], 'labels': ['cat']}}  # as a list of tasks to import
    for nothing in ([], None):
        tasks = [cancelled, {**STUDIO[1], 'annotations': nothing}, new]
        assert load_names(write(tmp_path / 'export.json', tasks), IDS) == {}


def test_a_name_in_two_folders_tells_no_image(tmp_path):
    path = write(tmp_path / 'export.json', STUDIO[:1])
    assert names(load_names(path, ['cat/a', 'dog/a'])) == {'a': ['cat', 'dog']}


def test_what_a_model_proposed_is_no_label(tmp_path):
    (corrected,) = result(polygonlabels=['cat'])
    (corrected['prediction'],) = result(polygonlabels=['dog'])
    path = write(tmp_path / 'export.json', [{**STUDIO[0], 'annotations': [corrected]}])
    assert names(load_names(path, IDS)) == {'cat/a': ['cat']}


COCO = {
    'images': [{'id': 1, 'file_name': 'cat\\a.jpg'}, {'id': 2, 'file_name': 'dog/b.png'}],
    'annotations': [{'image_id': 1, 'category_id': 7}, {'image_id': 1, 'category_id': 90}],
    'categories': [{'id': 7, 'name': 'cat'}, {'id': 90, 'name': 'dog'}],
}


def test_coco(tmp_path):
    assert names(load_names(write(tmp_path / 'instances.json', COCO), IDS)) == {
        'cat/a': ['cat', 'dog'],
        'dog/b': [],
    }


def test_arrays_of_ninety_columns(tmp_path):
    labels = np.zeros((2, 90), np.uint8)
    labels[0, [6, 89]] = labels[1, 89] = 1
    np.savez(tmp_path / 'a.npz', ids=['x', 'y'], labels=labels)
    table = ClassTable(['background', 'dog', 'cat'])
    columns = write(tmp_path / 'instances.json', COCO)
    options = dict(path=str(tmp_path / 'a.npz'), columns=columns)
    assert read_npy(['x', 'y'], table, **options) == {'x': [1, 2], 'y': [1]}
    with pytest.raises(ValueError, match='expected 2 entries 0 or 1, one per column'):
        read_npy(['x'], table, **{**options, 'columns': ['cat', 'dog']})
    labels[1, 0] = 1
    np.savez(tmp_path / 'a.npz', ids=['x', 'y'], labels=labels)
    with pytest.raises(ValueError, match="id 'y': foreground class '' is unknown"):
        read_npy(['x', 'y'], table, **options)


def test_unknown_kinds(tmp_path):
    with pytest.raises(
        ValueError, match=r'labels must be a \.csv, \.json or \.xml file or a folder'
    ):
        load_names(write(tmp_path / 'labels.txt', 'a cat'), IDS)


@pytest.mark.parametrize(
    'source',
    [
        dict(labels_by_folder=True),
        dict(label_pattern='^(cat|dog|)(?:background)?/'),
        dict(labels='annotations.xml'),
        dict(labels='export.json'),
        dict(labels='yolo'),
    ],
)
def test_the_converter_takes_them_all(tmp_path, source):
    for name in IDS:
        (tmp_path / 'images' / name).parent.mkdir(parents=True)
        Image.new('RGB', (4, 3)).save(tmp_path / f'images/{name}.jpg')
    write(tmp_path / 'annotations.xml', CVAT.replace('<box label="dog"', '<box label="cat"'))
    cats = [{**STUDIO[0], 'annotations': result(choices=['cat'])}, *STUDIO[1:]]
    write(tmp_path / 'export.json', cats)
    write(tmp_path / 'yolo/classes.txt', 'dog\ncat\n')
    for name, line in zip(IDS, ('1 0 0 1 1', '0 0 0 1 1', '')):
        write(tmp_path / f'yolo/{name}.txt', line)
    if 'labels' in source:
        source = {'labels': str(tmp_path / source['labels'])}
    report, statistics = convert_folder(str(tmp_path / 'images'), tmp_path / 'out', **source)
    assert report.failed == {}
    assert statistics['unlabeled'] == ['background/c']
    rows = sorted((tmp_path / 'out/labels.csv').read_text().splitlines()[1:])
    assert rows == ['background/c,', 'cat/a,cat', 'dog/b,dog']


@pytest.mark.parametrize('name', ['names.csv', 'names.json', 'names.xml'])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f'labels not found: .*{name}'):
        load_names(tmp_path / name, ['a'])
