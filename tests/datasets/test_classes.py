import pytest

from mmwsss.datasets.classes import resolve_metainfo

OWN = {'classes': ('background', 'cat', 'dog'), 'palette': [[0, 0, 0], [1, 1, 1], [2, 2, 2]]}


def test_own_classes_are_the_default():
    info = resolve_metainfo(OWN, None, None)
    assert info == {'classes': ('background', 'cat', 'dog')}


@pytest.mark.parametrize(
    ('classes', 'metainfo'),
    [(['x', 'y'], None), (['background', 'x', 'y'], None), (None, {'classes': ['x', 'y']})],
)
def test_background_is_put_first_and_a_palette_made(classes, metainfo):
    info = resolve_metainfo({}, classes, metainfo)
    assert info['classes'] == ('background', 'x', 'y')
    assert info['palette'] == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]


def test_file_of_names(tiny):
    assert resolve_metainfo({}, 'classes.txt', None, str(tiny))['classes'] == (
        'background',
        'cat',
        'dog',
    )
    path = str(tiny / 'classes.txt')
    assert resolve_metainfo({}, path, None, 'elsewhere')['classes'][2] == 'dog'
    (tiny / 'notepad.txt').write_bytes(b'\xef\xbb\xbfbackground\r\ncat\r\n')
    info = resolve_metainfo({}, 'notepad.txt', None, str(tiny))
    assert info['classes'] == ('background', 'cat')
    with pytest.raises(
        FileNotFoundError, match=r'names does not exist: .*nope\.txt; `mmwsss data generic`'
    ):
        resolve_metainfo({}, 'nope.txt', None, str(tiny))


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (None, 'classes must be given'),
        ([], "must hold 'background' first"),
        (['cat', 'background'], "must hold 'background' first"),
        (['cat', 'cat'], 'these repeat: cat'),
        (['c'] * 300, 'these repeat: c'),
    ],
)
def test_bad_lists(classes, message):
    with pytest.raises(ValueError, match=message):
        resolve_metainfo({}, classes, None)


def test_254_foreground_classes_fill_8_bit():
    assert len(resolve_metainfo({}, [f'c{i}' for i in range(254)], None)['classes']) == 255


def test_more_classes_leave_out_id_255():
    names = [f'c{i}' for i in range(300)]
    info = resolve_metainfo({}, names, None)
    assert len(info['classes']) == len(info['palette']) == 302
    assert info['classes'][254:257] == ('c253', '(255: ignored)', 'c254')
    assert [name for name in info['classes'] if name.startswith('c')] == names
    assert resolve_metainfo({}, info['classes'], None)['classes'] == info['classes']


def test_names_must_be_among_the_own_ones():
    with pytest.raises(
        ValueError, match="classes: class 'dgo' is unknown; the closest valid name is 'dog'"
    ):
        resolve_metainfo(OWN, ['cat', 'dgo'], None)
