"""Damaged and hostile files: every reader returns something valid or says what is wrong with which file.

Each reader gets a valid file, then the file cut at many places, with bytes changed at random, with blocks
repeated, empty, and as random bytes. It may accept what is still valid; it may raise ``ValueError`` or
``OSError`` with the file's name; anything else (another exception, a warning turned into garbage, a hang,
executed code) fails the test.
"""

import io
import json
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.label_sources import (
    ClassTable,
    read_coco,
    read_csv,
    read_json,
    read_masks,
    read_npy,
    read_voc_xml,
)
from mmwsss.datasets.transforms import LoadImage
from mmwsss.evaluation.instances import load_instance_map
from mmwsss.io import (
    ClassMaps,
    load_class_maps,
    load_mask,
    make_record,
    read_id_list,
    read_record,
    save_class_maps,
    save_mask,
    write_record,
)
from mmwsss.io.record import RECORD_NAME

TABLE = ClassTable(('background', 'cat', 'dog'))
IDS = ['a', 'b']
JSON = '{"a": ["cat"], "b": ["cat", "dog"]}'
CUTS, FLIPS = 12, 40


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format='PNG')
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def mask():
    labels = np.zeros((9, 12), np.uint8)
    labels[2:5, 3:8] = 2
    return labels


def write_maps(path):
    scores = np.linspace(0, 1, 2 * 6 * 7, dtype=np.float32).reshape(2, 6, 7)
    save_class_maps(path, ClassMaps(keys=np.array([0, 2]), scores=scores, image_size=(9, 12)))


def write_a_manifest(path):
    write_record(path.parent, make_record('maps', ('background', 'cat'), 'train', ['a']))


def write_vectors(path):
    path.write_bytes(npy(np.array({'a': np.array([1.0, 0]), 'b': np.array([1.0, 1])})))


def write_coco(path):
    content = dict(
        images=[dict(id=1, file_name='a.jpg'), dict(id=2, file_name='b.jpg')],
        annotations=[dict(id=i, image_id=m, category_id=c) for i, m, c in ((1, 1, 7), (2, 2, 7), (3, 2, 9))],
        categories=[dict(id=7, name='cat'), dict(id=9, name='dog')],
    )  # fmt: skip
    path.write_text(json.dumps(content))


def write_xml(path):
    objects = ('<object><name>cat</name></object>', '<object><name>dog</name></object>')
    path.write_text(f'<annotation>{objects[0]}</annotation>')
    path.with_name('b.xml').write_text(f'<annotation>{"".join(objects)}</annotation>')


def write_masks(path):
    path.write_bytes(png(np.ones((4, 5), np.uint8)))
    path.with_name('b.png').write_bytes(png(np.array([[1, 2], [0, 0]], np.uint8)))


def is_mask(value):
    assert value.dtype == np.uint8
    assert value.ndim == 2
    assert value.size


def is_instance_map(value):
    assert value.ndim == 2
    assert np.issubdtype(value.dtype, np.integer)


def is_maps(value):
    assert np.isfinite(value.scores).all()
    assert len(value.keys) == len(value.scores)


def is_manifest(value):
    assert isinstance(value.classes, (list, tuple))
    assert isinstance(value.kind, str)


def is_labels(value):
    assert set(value) == set(IDS)
    assert all(set(found) <= {1, 2} for found in value.values())


def is_ids(value):
    assert value
    assert all(isinstance(name, str) and name.strip() for name in value)


def is_image(value):
    assert value['img'].dtype == np.uint8
    assert value['img'].ndim == 3


def load_image(path):
    return LoadImage()(dict(img_path=str(path), img_id=path.stem))


def of_folder(reader):
    return lambda path: reader(IDS, TABLE, path=str(path.parent))


def of_file(reader):
    return lambda path: reader(IDS, TABLE, path=str(path))


def write_bytes(content):
    return lambda path: path.write_bytes(content)


def write_text(text):
    return lambda path: path.write_text(text)


def write_npz_vectors(path):
    np.savez(path, ids=np.array(IDS), labels=np.array([[1, 0], [1, 1]]))


SIXTEEN_BIT = png(mask().astype(np.uint16) * 300)
GREY_IMAGE = png(np.full((6, 7, 3), 90, np.uint8))
# Name of the file, how it is written, how it is read, what the result must be.
CASES = {
    'mask png': ('m.png', lambda path: save_mask(path, mask()), load_mask, is_mask),
    'mask npy': ('m.npy', write_bytes(npy(mask())), load_mask, is_mask),
    'instances png': ('i.png', write_bytes(png(mask())), load_instance_map, is_instance_map),
    'instances 16 bit': ('i.png', write_bytes(SIXTEEN_BIT), load_instance_map, is_instance_map),
    'class maps': ('c.npz', write_maps, load_class_maps, is_maps),
    'manifest': (RECORD_NAME, write_a_manifest, lambda p: read_record(p.parent), is_manifest),
    'id list': ('l.txt', write_text('one\ntwo\nthree/four\n'), read_id_list, is_ids),
    'csv': ('l.csv', write_text('id,names\na,cat\nb,cat;dog\n'), of_file(read_csv), is_labels),
    'json': ('l.json', write_text(JSON), of_file(read_json), is_labels),
    'npy vectors': ('l.npy', write_vectors, of_file(read_npy), is_labels),
    'npz vectors': ('l.npz', write_npz_vectors, of_file(read_npy), is_labels),
    'coco': ('l.json', write_coco, of_file(read_coco), is_labels),
    'voc xml': ('a.xml', write_xml, of_folder(read_voc_xml), is_labels),
    'masks as labels': ('a.png', write_masks, of_folder(read_masks), is_labels),
    'image png': ('a.png', write_bytes(GREY_IMAGE), load_image, is_image),
    'image jpeg': (
        'a.jpg',
        lambda path: Image.new('RGB', (40, 30)).save(path),
        load_image,
        is_image,
    ),
}


def damaged(content, seed):
    """Variants of a file's bytes."""
    rng = np.random.default_rng(seed)
    yield b''
    yield rng.bytes(200)
    yield content + content
    for cut in np.linspace(1, len(content) - 1, CUTS).astype(int):
        yield content[:cut]
    for _ in range(FLIPS):
        changed = bytearray(content)
        for position in rng.integers(0, len(content), rng.integers(1, 5)):
            changed[position] = rng.integers(0, 256)
        yield bytes(changed)
    for _ in range(FLIPS // 4):  # a block moved elsewhere
        start, end, to = np.sort(rng.integers(0, len(content), 3))
        yield content[:start] + content[end:to] + content[start:end] + content[to:]


def outcome(read, path):
    """What a reader returned, or the message of an error that users may see."""
    try:
        return read(path), None
    except (ValueError, OSError) as error:
        return None, str(error)


@pytest.fixture
def case(request, tmp_path):
    name, write, read, check = CASES[request.param]
    path = tmp_path / name
    write(path)
    return path, read, check


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('case', CASES, indirect=True)
def test_a_damaged_file_is_read_or_named(case, request):
    path, read, check = case
    content = path.read_bytes()
    check(read(path))  # the intact file
    refused = 0
    for variant in damaged(content, zlib.crc32(request.node.name.encode())):
        path.write_bytes(variant)
        value, error = outcome(read, path)
        if error is None:
            check(value)
            continue
        named = (path.name, repr(path.stem), str(path.parent))
        assert any(name in error for name in named), error
        refused += 1
    assert refused >= 3  # at least the empty file, the random bytes and a cut one


class Bomb:
    """Unpickled, it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), 'w'))


@pytest.mark.parametrize(
    ('name', 'read'),
    [
        ('l.npy', of_file(read_npy)),
        ('m.npy', load_mask),
        ('i.npy', load_instance_map),
        ('c.npz', load_class_maps),
    ],
)
def test_nothing_in_a_data_file_is_executed(tmp_path, name, read):
    trap = tmp_path / 'executed'
    path = tmp_path / name
    if name.endswith('.npz'):
        fields = dict(keys=np.array([0]), image_size=np.array([1, 1]))
        np.savez(path, scores=np.array([Bomb(trap)], dtype=object), **fields)
    elif name == 'l.npy':
        path.write_bytes(npy(np.array({'a': Bomb(trap)})))
    else:
        path.write_bytes(pickle.dumps(Bomb(trap)))
    with pytest.raises((ValueError, OSError), match=name):
        read(path)
    assert not trap.exists()


def huge_png(width, height):
    """A PNG of a few bytes that says it is enormous."""

    def chunk(kind, data):
        return (
            struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        )

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b'\0' * 100)
    return (
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', data) + chunk(b'IEND', b'')
    )


@pytest.mark.parametrize('read', [load_mask, load_instance_map, load_image])
def test_an_image_that_claims_to_be_enormous_is_refused(tmp_path, read):
    path = tmp_path / 'a.png'
    path.write_bytes(huge_png(200_000, 200_000))
    with pytest.raises((ValueError, OSError), match=r'a\.png'):
        read(path)


# A COCO file whose JSON is fine and whose content is not: an entry replaced by each of these.
NONSENSE = [None, 7, 'x', [], [[]], {}, {'id': None}, {'id': [1]}, {'id': {}}, -1, 1e400, True]


@pytest.mark.parametrize(
    ('key', 'field'),
    [
        *((key, None) for key in ('images', 'annotations', 'categories')),
        *(('images', field) for field in ('id', 'file_name')),
        *(('annotations', field) for field in ('id', 'image_id', 'category_id')),
        *(('categories', field) for field in ('id', 'name')),
    ],
)
def test_nonsense_in_an_instances_file_is_named(tmp_path, key, field):
    path = tmp_path / 'l.json'
    write_coco(path)
    whole = path.read_text()
    for value in NONSENSE:
        content = json.loads(whole)
        if field is None:
            content[key][0] = value
        elif field in content[key][0]:
            content[key][0][field] = value
        path.write_text(json.dumps(content))
        value, error = outcome(of_file(read_coco), path)
        assert error is None or 'l.json' in error
        assert error is not None or is_labels(value) is None


def test_deeply_nested_json_is_refused(tmp_path):
    path = tmp_path / 'l.json'
    path.write_text('[' * 100_000)
    for read in (read_coco, read_json):
        with pytest.raises(ValueError, match=r'l\.json'):
            read(IDS, TABLE, path=str(path))


@pytest.mark.parametrize('shape', [(10**9, 10**9), (2**40,), (-1, 4)])
@pytest.mark.parametrize('read', [load_mask, load_instance_map])
def test_an_array_that_claims_to_be_enormous_is_refused(tmp_path, read, shape):
    path = tmp_path / 'a.npy'
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + '\n'
    path.write_bytes(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode())
    with pytest.raises((ValueError, OSError), match=r'a\.npy'):
        read(path)


@pytest.mark.parametrize('shape', [(0, 5), (5, 0), (0, 0)])
def test_masks_without_pixels_are_refused(tmp_path, shape):
    path = tmp_path / 'a.npy'
    path.write_bytes(npy(np.zeros(shape, np.uint8)))
    with pytest.raises(ValueError, match=r'a\.npy'):
        load_mask(path)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_maps_that_are_not_finite_are_refused(tmp_path, bad):
    path = tmp_path / 'c.npz'
    scores = np.zeros((1, 3, 4), np.float16)
    scores[0, 1, 2] = bad
    np.savez(path, keys=np.array([0]), scores=scores, image_size=np.array([3, 4]))
    with pytest.raises(ValueError, match=r'c\.npz.*finite'):
        load_class_maps(path)


def test_writing_replaces_a_link_and_not_what_it_points_to(tmp_path):
    outside = tmp_path / 'outside.png'
    outside.write_bytes(b'precious')
    folder = tmp_path / 'masks'
    folder.mkdir()
    (folder / 'a.png').symlink_to(outside)
    save_mask(folder / 'a.png', mask())
    assert outside.read_bytes() == b'precious'
    assert not (folder / 'a.png').is_symlink()
    np.testing.assert_array_equal(load_mask(folder / 'a.png'), mask())


HOSTILE = [
    '../a',
    '/etc/passwd',
    'a/../../b',
    '..',
    '.',
    '',
    ' ',
    'a\0b',
    'C:\\a',
    '\\\\host\\a',
    'a/',
    '~/../a',
]


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_names_do_not_leave_their_folder(tmp_path, name):
    folder = tmp_path / 'x' / 'y'
    folder.mkdir(parents=True)
    for outside in (tmp_path / 'x', tmp_path):  # files that the names could lead to
        save_mask(outside / 'a.png', mask())
        (outside / 'a.xml').write_text('<annotation/>')
    for read in (read_masks, read_voc_xml):
        with pytest.raises(ValueError, match='a relative path that stays inside'):
            read([name], TABLE, path=str(folder))
