"""Exports are read back by plain decoders, and by the formats' own readers where they are installed."""

from __future__ import annotations

import json
import shutil
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.label_map import load_colour_mask, read_label_map
from mmwsss.functional.polygons import mask_to_polygon, rasterize_polygons
from mmwsss.io import load_mask, read_id_list, save_mask
from mmwsss.stages.annotations import FORMATS, ExportOptions, brush_runs, export_masks, mask_objects
from tests.tools.run import run_here

CLASSES = ['background', 'cat', 'a "b", <c> & d', 'dog']
SIZES = {'a': (37, 23), 'sub/b c.d': (20, 41), 'empty': (5, 6)}


def blobs(size, seed):
    """Classes 0 to 3 and 255, with holes, objects in holes, and pixels that touch at corners."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, 0, 1, 2, 3, 255], (size[0] // 4 + 1, size[1] // 4 + 1))
    labels = np.kron(coarse, np.ones((4, 4), np.uint8))[: size[0], : size[1]].astype(np.uint8)
    noise = rng.random(size) < 0.1
    return np.where(noise, rng.integers(0, 4, size), labels).astype(np.uint8)


@pytest.fixture(scope='module')
def masks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('masks')
    for seed, (name, size) in enumerate(SIZES.items()):
        labels = np.zeros(size, np.uint8) if name == 'empty' else blobs(size, seed)
        save_mask(folder / f'{name}.png', labels)
        (folder.parent / 'photos' / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', size[::-1]).save(folder.parent / 'photos' / f'{name}.png')
    return folder


def truth(masks):
    """Foreground of each image: 255 is in no object."""
    read = {name: load_mask(masks / f'{name}.png') for name in SIZES}
    return {name: np.where(labels == 255, 0, labels) for name, labels in read.items()}


def inside(points, size):
    """Even-odd rule at the centres of pixels, from its definition."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    crossed = np.zeros(size, int)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0)):
        if y0 != y1:
            at = x0 + (rows - y0) / (y1 - y0) * (x1 - x0)
            crossed += ((y0 <= rows) != (y1 <= rows)) & (columns < at)
    return crossed % 2 == 1


def painted(objects, size):
    """A label map of (class id, mask) pairs that do not overlap."""
    labels = np.zeros(size, np.uint8)
    for c, mask in objects:
        assert not labels[mask].any()
        labels[mask] = c
    return labels


@pytest.mark.parametrize('seed', range(6))
def test_the_outline_holds_the_centres_of_the_objects_pixels(seed):
    labels = blobs((40, 30), seed)
    for item in mask_objects(labels)[0]:
        points = mask_to_polygon(item.mask)
        np.testing.assert_array_equal(inside(points, item.mask.shape), item.mask)


def test_cocos_own_fill_of_outlines():
    wrong = total = 0
    for seed in range(6):
        for item in mask_objects(blobs((40, 30), seed))[0]:
            filled = rasterize_polygons([mask_to_polygon(item.mask).ravel()], item.mask.shape)
            wrong, total = wrong + (filled != item.mask).sum(), total + item.area
    assert wrong <= 0.01 * total


def test_outlines_may_be_simpler_but_stay_near():
    rows, columns = np.mgrid[:60, :60]
    disc = (rows - 30) ** 2 + (columns - 30) ** 2 < 25**2
    exact, simple = mask_to_polygon(disc), mask_to_polygon(disc, 1.0)
    assert len(simple) < len(exact) / 4
    assert (inside(simple, disc.shape) & disc).sum() > 0.93 * disc.sum()
    bump = np.ones((9, 20), bool)
    bump[0, :9] = bump[0, 11:] = False  # one pixel high
    assert len(mask_to_polygon(bump, 0.7)) > 4 == len(mask_to_polygon(bump, 1.4))
    assert len(mask_to_polygon(bump[1:2, :3], 9)) == 4


@pytest.mark.parametrize('mask', [np.zeros((3, 3), bool), np.array([[1, 0, 1]])])
def test_an_outline_is_of_one_object(mask):
    with pytest.raises(ValueError, match='one object'):
        mask_to_polygon(mask)


def read_coco(out):
    coco = pytest.importorskip('pycocotools.coco').COCO(
        out / 'annotations' / 'instances_default.json'
    )
    assert [c['name'] for c in coco.loadCats(coco.getCatIds())] == CLASSES[1:]
    for image in coco.loadImgs(coco.getImgIds()):
        items = coco.loadAnns(coco.getAnnIds(imgIds=image['id']))
        size = (image['height'], image['width'])
        objects = [(item['category_id'], coco_mask(coco, item, size)) for item in items]
        for item, (_, mask) in zip(items, objects):
            assert item['area'] == mask.sum()
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert item['bbox'] == box
        yield image['file_name'], objects


def coco_mask(coco, item, size):
    """Mask of an annotation; COCO fills outlines by a rule of its own, see the test of it."""
    if isinstance(item['segmentation'], dict):
        return coco.annToMask(item).astype(bool)
    (numbers,) = item['segmentation']
    return inside(np.reshape(numbers, (-1, 2)), size)


def read_yolo(out):
    text = (out / 'data.yaml').read_text()
    assert '  1: "a \\"b\\", <c> & d"' in text
    assert 'train: images.txt\nval: images.txt\n' in text
    for file in (out / 'images.txt').read_text().splitlines():
        objects, name = [], file.removeprefix('./images/').removesuffix('.png')
        size = SIZES[name]
        for line in (out / 'labels' / f'{name}.txt').read_text().splitlines():
            c, *numbers = line.split()
            points = np.array(numbers, float).reshape(-1, 2) * size[::-1]
            objects.append((int(c) + 1, inside(points, size)))
        yield file.removeprefix('./images/'), objects


def read_cvat(out):
    root = ET.parse(out / 'annotations.xml').getroot()
    names = [name.text for name in root.findall('meta/task/labels/label/name')]
    assert names == CLASSES[1:]
    for image in root.findall('image'):
        size = int(image.get('height')), int(image.get('width'))
        objects = []
        for item in image:
            if item.tag == 'polygon':
                points = [pair.split(',') for pair in item.get('points').split(';')]
                mask = inside(np.array(points, float), size)
            else:
                x, y, w, h = (int(item.get(k)) for k in ('left', 'top', 'width', 'height'))
                runs = [int(n) for n in item.get('rle').split(',')]
                box = np.repeat(np.arange(len(runs)) % 2, runs).reshape(h, w)
                mask = np.zeros(size, bool)
                mask[y : y + h, x : x + w] = box
            objects.append((CLASSES.index(item.get('label')), mask))
        yield image.get('name'), objects


def unpack(data):
    """Values of thi.ng/rle-pack, bit by bit."""
    bits = ''.join(f'{byte:08b}' for byte in data)
    place = 0

    def read(n):
        nonlocal place
        place += n
        return int(bits[place - n : place], 2)

    count, width = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values = []
    while len(values) < count:
        equal, n = read(1), read(sizes[read(2)]) + 1
        values += [read(width)] * n if equal else [read(width) for _ in range(n)]
    return np.array(values)


def read_label_studio(out):
    view = ET.parse(out / 'label_config.xml').getroot()
    assert [label.get('value') for label in view.iter('Label')] == CLASSES[1:]
    for task in json.loads((out / 'tasks.json').read_text()):
        url = task['data']['image']
        assert ' ' not in url
        file = unquote(url).removeprefix('u/')
        size = SIZES[file[: -len('.png')]]
        objects = []
        for item in task['predictions'][0]['result']:
            assert (item['original_height'], item['original_width']) == size
            value = item['value']
            if item['type'] == 'brushlabels':
                mask = unpack(value['rle']).reshape(*size, 4)[..., 3] == 255
            else:
                mask = inside(np.array(value['points']) * size[::-1] / 100, size)
            objects.append((CLASSES.index(value[item['type']][0]), mask))
        yield file, objects


READERS = {'coco': read_coco, 'yolo-seg': read_yolo, 'cvat': read_cvat}
READERS['label-studio'] = read_label_studio


@pytest.mark.parametrize('format', READERS)
@pytest.mark.parametrize('polygons', [False, True])
def test_a_round_trip(masks, tmp_path, format, polygons):
    options = ExportOptions(polygons=polygons, url='u/')
    photos = masks.parent / 'photos'
    found = export_masks(masks, tmp_path, format, CLASSES, images=photos, options=options)
    assert found.report.done == sorted(SIZES)
    read = dict(READERS[format](tmp_path))
    expected = truth(masks)
    assert list(read) == [f'{name}.png' for name in sorted(SIZES)]
    for name, labels in expected.items():
        objects = read[f'{name}.png']
        np.testing.assert_array_equal(painted(objects, labels.shape), labels)
    assert sum(found.objects.values()) == sum(map(len, read.values()))
    assert found.ignored == sum((load_mask(p) == 255).sum() for p in masks.rglob('*.png'))


def test_yolo_lists_no_image_of_an_earlier_export(masks, tmp_path):
    for ids in (list(SIZES), list(SIZES)[:1]):
        export_masks(masks, tmp_path, 'yolo-seg', CLASSES, ids=ids, overwrite=True)
    assert (tmp_path / 'images.txt').read_text() == f'./images/{ids[0]}.jpg\n'


def test_voc_keeps_undecided_pixels(masks, tmp_path):
    export_masks(masks, tmp_path, 'voc', CLASSES)
    lines = (tmp_path / 'labelmap.txt').read_text().splitlines()
    assert lines[1:3] == ['background:0,0,0::', 'cat:128,0,0::']
    assert lines[-1] == 'void:224,224,192::'
    assert read_id_list(tmp_path / 'ImageSets/Segmentation/default.txt') == sorted(SIZES)
    colours = read_label_map(tmp_path / 'labelmap.txt')
    ids = {name: i for i, name in enumerate(CLASSES)}
    for name in SIZES:
        labels = load_mask(masks / f'{name}.png')
        path = tmp_path / 'SegmentationClass' / f'{name}.png'
        np.testing.assert_array_equal(load_mask(path), labels)
        np.testing.assert_array_equal(load_colour_mask(path, colours, ids), labels)
        numbers = load_mask(tmp_path / 'SegmentationObject' / f'{name}.png')
        np.testing.assert_array_equal(numbers == 255, labels == 255)
        for item in mask_objects(labels)[0]:
            x, y, w, h = item.box
            assert len(np.unique(numbers[y : y + h, x : x + w][item.mask])) == 1


def test_many_objects_and_classes(tmp_path):
    """More objects than 8 bits count; ids above 255."""
    labels = np.zeros((64, 64), np.uint16)
    labels[::3, ::3] = 300
    save_mask(tmp_path / 'm' / 'x 1.png', labels, [[0, 0, 0]] * 301)
    classes = ['background', *(f'c{i}' for i in range(1, 301))]
    found = export_masks(tmp_path / 'm', tmp_path / 'voc', 'voc', classes)
    assert found.objects == {300: 22 * 22}
    assert read_id_list(tmp_path / 'voc/ImageSets/Segmentation/default.txt') == ['x 1']
    numbers = np.array(Image.open(tmp_path / 'voc' / 'SegmentationObject' / 'x 1.png'))
    assert len(np.unique(numbers)) == 22 * 22 + 1
    assert 255 not in numbers
    export_masks(tmp_path / 'm', tmp_path / 'y', 'yolo-seg', classes)
    lines = (tmp_path / 'y' / 'labels' / 'x 1.txt').read_text().splitlines()
    names = (tmp_path / 'y' / 'data.yaml').read_text().splitlines()
    assert f'  {lines[0].split()[0]}: "c300"' in names
    assert not any('"c255"' in line for line in names)


def test_long_runs_of_a_brush():
    mask = np.zeros((300, 300), np.uint8)
    mask[100:, :] = 1
    np.testing.assert_array_equal(unpack(brush_runs(mask)).reshape(300, 300, 4)[..., 0], 255 * mask)


def test_small_objects_are_left_out_and_counted(masks, tmp_path):
    whole = export_masks(masks, tmp_path / 'a', 'cvat', CLASSES)
    large = export_masks(masks, tmp_path / 'b', 'cvat', CLASSES, options=ExportOptions(min_area=5))
    assert large.small > 0
    assert sum(large.objects.values()) + large.small == sum(whole.objects.values())


def test_an_export_among_the_masks_is_refused(masks):
    for out in (masks, masks / 'export'):
        with pytest.raises(ValueError, match='lies in that of the masks'):
            export_masks(masks, out, 'voc', CLASSES)


def test_the_command_names_what_failed(masks, tmp_path):
    broken, out = tmp_path / 'masks', tmp_path / 'out'
    broken.mkdir()
    (broken / 'x.png').write_bytes(b'\x89PNG\r\n\x1a\n')
    (broken / 'a.png').write_bytes((masks / 'a.png').read_bytes())
    (tmp_path / 'names.txt').write_text('\n'.join(CLASSES[1:]))
    words = ['export_masks.py', broken, '--format', 'cvat', '--out', out, '--workers', '0']
    done = run_here(*words, '--classes', tmp_path / 'names.txt')
    assert done.returncode == 1
    assert 'failed: x' in done.stderr
    assert 'are 255 (undecided): in no object' in done.stdout
    assert len(ET.parse(out / 'annotations.xml').getroot().findall('image')) == 1
    again = run_here(*words, '--classes', tmp_path / 'names.txt')
    assert again.returncode == 2
    assert '--overwrite' in again.stderr


def test_images_must_be_there_and_fit(masks, tmp_path):
    Image.new('RGB', (9, 9)).save(tmp_path / 'a.jpg')
    found = export_masks(masks, tmp_path / 'o', 'cvat', CLASSES, images=tmp_path)
    assert 'is (9, 9)' in found.report.failed['a']
    assert 'no image named empty' in found.report.failed['empty']


@pytest.mark.parametrize(
    ('format', 'reader', 'images', 'polygons'),
    [
        ('coco', 'coco', 'images/default', False),
        ('cvat', 'cvat', 'images', False),
        ('cvat', 'cvat', 'images', True),
        ('voc', 'voc_segmentation', 'JPEGImages', False),
    ],
)
def test_datumaro_reads(masks, tmp_path, format, reader, images, polygons):
    datumaro = pytest.importorskip('datumaro')
    photos, options = masks.parent / 'photos', ExportOptions(polygons=polygons)
    export_masks(masks, tmp_path, format, CLASSES, images=photos, options=options)
    shutil.copytree(photos, tmp_path / images)
    data = datumaro.Dataset.import_from(str(tmp_path), reader)
    names = data.categories()[datumaro.AnnotationType.label]
    expected = truth(masks)
    assert {item.id for item in data} == set(expected)
    for item in data:
        size, objects = expected[item.id].shape, []
        for shape in item.annotations:
            name = names[shape.label].name
            if shape.type == datumaro.AnnotationType.mask and name != 'void':
                objects.append((CLASSES.index(name), np.asarray(shape.image, bool)))
            elif shape.type == datumaro.AnnotationType.polygon:
                points = np.reshape(shape.points, (-1, 2))
                objects.append((CLASSES.index(name), inside(points, size)))
        np.testing.assert_array_equal(painted(objects, size), expected[item.id])


def test_label_studio_decodes_brushes(masks):
    brush = pytest.importorskip('label_studio_sdk.converter.brush')
    mask = load_mask(masks / 'a.png') == 1
    decoded = brush.decode_rle(brush_runs(mask.astype(np.uint8))).reshape(*mask.shape, 4)
    np.testing.assert_array_equal(decoded[..., 3] == 255, mask)


def test_every_format_is_tested():
    assert {*READERS, 'voc'} == set(FORMATS)


def test_a_missing_folder_of_masks_is_named(tmp_path):
    result = run_here('export_masks.py', tmp_path / 'maskz', '--format', 'coco', '--out', tmp_path)
    assert result.returncode == 2
    assert 'masks must be a folder, but there is none at' in result.stderr
