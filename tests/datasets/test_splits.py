import pytest

from mmwsss.datasets.splits import FileIndex, ids_of_folder, read_split, read_subset


def write(tmp_path, text):
    path = tmp_path / 'list.txt'
    path.write_text(text, encoding='utf-8')
    return str(path)


@pytest.mark.parametrize(
    ('text', 'ids'),
    [
        ('a\nb\n\n', ['a', 'b']),
        ('\ufeffa\r\n b \r\n', ['a', 'b']),
        ('a.jpg\nb.PNG\nv1.2\n', ['a', 'b', 'v1.2']),
        ('sub/a\nmy photo 1\n', ['sub/a', 'my photo 1']),
        (
            '/JPEGImages/2007_1.jpg /SegmentationClassAug/2007_1.png\n'
            '/JPEGImages/2007_2.jpg /SegmentationClassAug/2007_2.png\n',
            ['2007_1', '2007_2'],
        ),
    ],
)
def test_read_split(tmp_path, text, ids):
    assert read_split(write(tmp_path, text)) == ids


def test_split_of_labels(tiny):
    assert read_split(str(tiny / 'labels.csv')) == ['first', 'second', 'third']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('\n \n', 'names no image, expected at least one'),
        (
            'a\n\nb\na\n',
            r'names 1 images more than once, expected each once: a \(the first: line 1, line 4\)',
        ),
    ],
)
def test_bad_lists(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf'list\.txt.*{message}'):
        read_split(write(tmp_path, text))


def test_messages_about_a_part_name_file_place_and_what_was_expected(tmp_path):
    path = write(tmp_path, '\na\nx.jpg\n')
    message = (
        r"subset: .*list\.txt names 1 images that are not in the split: 'x' \(line 3\); "
        r"expected ids among its 2, such as 'a'"
    )
    with pytest.raises(ValueError, match=message):
        read_subset(path, ['a', 'b'])
    assert read_subset(path, ['x', 'b', 'a']) == ['x', 'a']
    with pytest.raises(ValueError, match=r'subset: .*list\.txt names 1 images more than once'):
        read_subset(write(tmp_path, 'a\na\n'), ['a'])
    with pytest.raises(ValueError, match=r'subset: .*list\.txt names no image'):
        read_subset(write(tmp_path, ''), ['a'])
    (tmp_path / 'part.csv').write_text('id,class\na,cat\nx,dog\n', encoding='utf-8')
    with pytest.raises(ValueError, match=r"part\.csv names 1 .*'x' \(entry 2\)"):
        read_subset(str(tmp_path / 'part.csv'), ['a', 'b'])


def test_missing_list(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'list of images does not exist: .*nope\.txt'):
        read_split(str(tmp_path / 'nope.txt'))


def test_ids_of_folder_takes_any_image(tiny):
    (tiny / 'images' / 'sub').mkdir()
    (tiny / 'images' / 'sub' / 'x.JPEG').touch()
    (tiny / 'images' / 'sub' / 'y.tif').touch()
    (tiny / 'images' / 'sub' / 'z.WebP').touch()
    (tiny / 'images' / 'notes.txt').touch()
    (tiny / 'images' / 'sub' / '.thumbnails').mkdir()
    (tiny / 'images' / 'sub' / '.thumbnails' / 'x.jpg').touch()
    (tiny / 'images' / '.first.jpg').touch()
    assert ids_of_folder(str(tiny / 'images')) == [
        'first',
        'second',
        'sub/x',
        'sub/y',
        'sub/z',
        'third',
    ]
    assert ids_of_folder(str(tiny / 'images'), '.png') == ['second']


def test_empty_and_missing_folder(tmp_path):
    with pytest.raises(ValueError, match=r'holds no images \(\.jpg, .*, \.webp\)'):
        ids_of_folder(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'folder does not exist: .*nope'):
        ids_of_folder(str(tmp_path / 'nope'))
    with pytest.raises(FileNotFoundError, match=r'folder does not exist: .*nope'):
        FileIndex(str(tmp_path / 'nope'), '.jpg')


def test_index_finds_each_suffix(tiny):
    folder = tiny / 'images'
    index = FileIndex(str(folder), None)
    assert index.path('first') == str(folder / 'first.jpg')
    assert index.path('second') == str(folder / 'second.png')
    assert index.path('nope') == str(folder / 'nope.jpg')
    assert index.missing(['first', 'nope', 'sub/first', 'second']) == ['nope', 'sub/first']


def test_index_with_fixed_suffix(tiny):
    folder = tiny / 'images'
    for name in ('capital.PNG', 'both.PNG', 'both.png'):
        (folder / name).touch()
    index = FileIndex(str(folder), '.png')
    assert index.path('first') == str(folder / 'first.png')
    assert index.path('capital') == str(folder / 'capital.PNG')
    assert index.path('both') == str(folder / 'both.png')
    assert index.missing(['first', 'second']) == ['first']


def test_index_refuses_ambiguous_images(tiny):
    (tiny / 'images' / 'first.png').touch()
    with pytest.raises(ValueError, match=r"several images of 'first': \.jpg, \.png"):
        FileIndex(str(tiny / 'images'), None).path('first')


@pytest.mark.parametrize('suffix', [None, '.jpg'])
@pytest.mark.parametrize('name', ['../images/first', '/etc/passwd', 'a/../../b'])
def test_index_refuses_ids_that_leave_the_folder(tiny, name, suffix):
    with pytest.raises(ValueError, match='stays inside'):
        FileIndex(str(tiny / 'images'), suffix).path(name)
    with pytest.raises(ValueError, match='stays inside'):
        FileIndex(str(tiny / 'images'), suffix).exists(name)
