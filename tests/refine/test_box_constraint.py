import json
import pickle

import numpy as np
import pytest

from mmwsss.functional.boxes import Box
from mmwsss.io import ClassMaps
from mmwsss.refine import RefinerChain, build_refiner

CLASSES = ['background', 'cat', 'dog']
BOXES = [Box(1, 1, 0, 5, 4), Box(2, 6, 2, 8, 6)]
SIZE = (8, 10)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding='utf-8')


def coco(tmp_path):
    content = {
        'images': [{'id': 5, 'file_name': 'sub/a.jpg'}],
        'categories': [{'id': 1, 'name': 'cat'}, {'id': 9, 'name': 'dog'}],
        'annotations': [
            {'id': 1, 'image_id': 5, 'category_id': 1, 'bbox': [1, 0, 4, 4]},
            {'id': 2, 'image_id': 5, 'category_id': 9, 'bbox': [6, 2, 2, 4]},
        ],
    }
    write(tmp_path / 'boxes.json', json.dumps(content))
    return tmp_path / 'boxes.json'


def cvat(tmp_path):
    shapes = ''.join(
        f'<box label="{CLASSES[k]}" xtl="{x0}" ytl="{y0}" xbr="{x1}" ybr="{y1}"/>'
        for k, x0, y0, x1, y1 in BOXES
    )
    write(
        tmp_path / 'a.xml',
        f'<annotations><image name="sub/a.jpg"><tag label="cat"/>{shapes}</image></annotations>',
    )
    return tmp_path / 'a.xml'


def voc(tmp_path):
    objects = ''.join(
        f'<object><name> {CLASSES[k]} </name><bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin>'
        f'<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>'
        for k, x0, y0, x1, y1 in BOXES
    )
    write(tmp_path / 'voc/sub/a.xml', f'<annotation>{objects}</annotation>')
    return tmp_path / 'voc'


def yolo(tmp_path):
    lines = [
        f'{k - 1} {(x0 + x1) / 20} {(y0 + y1) / 16} {(x1 - x0) / 10} {(y1 - y0) / 8}'
        for k, x0, y0, x1, y1 in BOXES
    ]
    write(tmp_path / 'yolo/classes.txt', 'cat\ndog\n')
    write(tmp_path / 'yolo/sub/a.txt', '\n'.join(lines))
    return tmp_path / 'yolo'


def yolo_outlines(tmp_path):
    folder = yolo(tmp_path)
    rows = ['0 .1 .25 .5 0 .3 .5', '1 .6 .25 .8 .25 .8 .75 .6 .75']  # three and four corners
    write(folder / 'sub/a.txt', '\n'.join(rows))
    return folder


def constraint(path, **options):
    cfg = dict(type='BoxConstraint', boxes=str(path), classes=CLASSES)
    return build_refiner({**cfg, **options})


@pytest.mark.parametrize('source', [coco, cvat, voc, yolo, yolo_outlines])
def test_every_source_gives_the_same_boxes(tmp_path, source):
    reader = constraint(source(tmp_path)).reader
    np.testing.assert_allclose(reader('sub/a', SIZE), BOXES)


def test_a_chain_with_maps_and_labels(tmp_path):
    scores = np.full((2, *SIZE), 0.6, np.float32)
    scores[1, :, 7] = 0.9
    maps = ClassMaps(np.array([1, 2]), scores, SIZE)
    box = constraint(coco(tmp_path))
    threshold = dict(type='BackgroundThreshold', threshold=0.5)
    expected = np.zeros(SIZE, np.uint8)
    expected[0:4, 1:5], expected[2:6, 6:8] = 1, 2
    before = RefinerChain([box, threshold])(maps, image_id='sub/a')
    np.testing.assert_array_equal(before, expected)
    after = RefinerChain([threshold, box])(maps, image_id='sub/a')
    np.testing.assert_array_equal(after, expected)
    kept = constraint(coco(tmp_path), min_fill=0)
    after = RefinerChain([threshold, kept, dict(type='ConfidenceThreshold', min_confidence=0.7)])
    expected[0:4, 1:5] = 255  # maps go on as maps
    expected[2:6, 6] = 255
    expected[expected == 0] = 255
    np.testing.assert_array_equal(after(maps, image_id='sub/a'), expected)


def test_a_box_without_its_class_is_labelled_anew(tmp_path):
    labels = constraint(coco(tmp_path), inner=0.5)(np.ones(SIZE, np.uint8), image_id='sub/a')
    expected = np.zeros(SIZE, np.uint8)
    expected[0:4, 1:5], expected[2:6, 6:8] = 1, 255
    expected[3:5, 6:8] = 2
    np.testing.assert_array_equal(labels, expected)


def test_it_travels_to_other_processes_and_its_file_is_hashed(tmp_path):
    box = constraint(coco(tmp_path))
    assert box.reader
    again = pickle.loads(pickle.dumps(box))
    assert list(again.reader('sub/a', SIZE)) == BOXES
    assert box.input_files() == [str(tmp_path / 'boxes.json')]
    folder = yolo(tmp_path)
    assert constraint(folder).input_files() == [str(folder)]
    write(tmp_path / 'names.txt', 'cat\ndog\n')
    named = constraint(coco(tmp_path), classes=str(tmp_path / 'names.txt'))
    assert list(named.reader('sub/a', SIZE)) == BOXES
    assert named.input_files()[1:] == [str(tmp_path / 'names.txt')]


def test_an_image_without_boxes(tmp_path):
    labels = np.ones(SIZE, np.uint8)
    assert not constraint(yolo(tmp_path))(labels, image_id='other').any()
    for source in (coco, cvat, voc):
        with pytest.raises(FileNotFoundError, match='other'):
            constraint(source(tmp_path))(labels, image_id='other')


@pytest.mark.parametrize(
    ('bbox', 'category', 'message'),
    [
        ([1, 1, 0, 2], 1, 'annotation 1: a box must have x0 < x1'),
        ([1, 1, 2], 1, r'annotation 1: expected "bbox"'),
        (None, 1, r'annotation 1: expected "bbox"'),
        ([1, 1, 2, 2], 3, 'annotation 1 has category_id 3, which is not among the categories'),
    ],
)
def test_bad_boxes(tmp_path, bbox, category, message):
    path = coco(tmp_path)
    content = json.loads(path.read_text())
    content['annotations'][0].update(bbox=bbox, category_id=category)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        constraint(path)(np.zeros(SIZE, np.uint8), image_id='sub/a')


def test_a_box_without_pixels_concerns_its_image_only(tmp_path):
    path = coco(tmp_path)
    content = json.loads(path.read_text())
    content['images'].append({'id': 6, 'file_name': 'b.jpg'})
    content['annotations'].append({'id': 3, 'image_id': 6, 'category_id': 1, 'bbox': [1, 1, 1, 0]})
    path.write_text(json.dumps(content))
    reader = constraint(path).reader
    assert reader('sub/a', SIZE) == BOXES
    with pytest.raises(ValueError, match='annotation 3: a box must have x0 < x1'):
        reader('b', SIZE)


def test_bad_edges_in_xml(tmp_path):
    for source, old, new, message in (
        (voc, '<xmax>5</xmax>', '', 'edges of a box must be numbers'),
        (voc, '<xmin>2</xmin>', '', 'needs a <bndbox> of numbers'),
        (cvat, 'xbr="5"', '', "image 'sub/a.jpg': the edges of a box must be numbers"),
        (cvat, '<box', '<box rotation="9.5"', "image 'sub/a.jpg': a box is rotated"),
        (cvat, '<box', '<box rotation="x"', "image 'sub/a.jpg': a box is rotated"),
        (cvat, '<box', '<polygon', "image 'sub/a.jpg': expected boxes only, but got a <polygon>"),
        (
            cvat,
            '</image>',
            '</image><image name="sub/a.png"/>',
            "a.png': the image is there already",
        ),
    ):
        path = source(tmp_path)
        file = path / 'sub/a.xml' if source is voc else path
        file.write_text(file.read_text().replace(old, new))
        with pytest.raises(ValueError, match=message):
            constraint(path)(np.zeros(SIZE, np.uint8), image_id='sub/a')


def test_bad_settings(tmp_path):
    with pytest.raises(FileNotFoundError, match='boxes: there is no file or folder'):
        constraint(tmp_path / 'none.json')(np.zeros(SIZE, np.uint8))
    with pytest.raises(ValueError, match='min_fill must lie'):
        constraint(tmp_path / 'none.json', min_fill=2)
    with pytest.raises(ValueError, match="class 'dog' is unknown"):
        build_refiner(dict(type='BoxConstraint', boxes=str(coco(tmp_path)), classes=['cat']))(
            np.zeros(SIZE, np.uint8), image_id='sub/a'
        )
