import json

import pytest

from mmwsss.datasets.label_sources import ClassTable, read_csv, read_json
from tests.datasets.tiny import CLASSES, IDS, LABELS

TABLE = ClassTable(CLASSES)


def write(tmp_path, text, name='labels.csv'):
    path = tmp_path / name
    path.write_bytes(text.encode('utf-8'))
    return str(path)


def test_csv_reads_names_and_empty_labels(tiny):
    assert read_csv(IDS, TABLE, path=str(tiny / 'labels.csv')) == LABELS


@pytest.mark.parametrize(
    'text',
    [
        'a,dog; cat\nb,\n',
        '\ufeffid,class names\r\na,cat;dog\r\nb,\r\n',
        'image_id,names\n\n"a","dog;cat;dog"\n b ,""\n',
    ],
)
def test_csv_variants(tmp_path, text):
    assert read_csv(['b', 'a'], TABLE, path=write(tmp_path, text)) == {'a': [1, 2], 'b': []}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('id,names\na,cat\nb\n', r"line 3: expected \"id,class names\".*but got 'b'"),
        ('a,cat,dog\n', "line 1: expected .* but got 'a,cat,dog'"),
        (',cat\n', 'line 1: expected'),
        ('a,cat\nb,cat;;dog\n', 'line 2: expected .* but got .b,cat;;dog'),
        ('a,cat\na,dog\n', "line 2: the id 'a' is there already .*line 1"),
        (
            'id,n\na,cat\nb,dgo\n',
            "line 3: foreground class 'dgo' is unknown; the closest valid name is 'dog'",
        ),
        ('a,"cat\n', 'line 1: unexpected end of data'),
    ],
)
def test_malformed_csv_gives_the_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=r'labels\.csv, ' + message):
        read_csv(['a'], TABLE, path=write(tmp_path, text))


def test_csv_that_is_not_text(tmp_path):
    path = tmp_path / 'labels.csv'
    path.write_bytes(b'\xff\xfe\x00a')
    with pytest.raises(ValueError, match='not a text file in UTF-8'):
        read_csv(['a'], TABLE, path=str(path))


def test_missing_ids_are_counted_and_named(tiny):
    with pytest.raises(ValueError, match=r'labels\.csv lacks 2 of 3 images: x, y'):
        read_csv(['first', 'x', 'y'], TABLE, path=str(tiny / 'labels.csv'))


def test_json_reads_lists_of_names(tmp_path):
    path = write(tmp_path, json.dumps({'a': ['dog', 'cat'], 'b': []}), 'labels.json')
    assert read_json(['a', 'b'], TABLE, path=path) == {'a': [1, 2], 'b': []}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"a": ["cat"]', 'is not JSON'),
        ('["cat"]', 'must be an object .* but is a list'),
        ('{"a": "cat"}', "id 'a': expected a list of class names, but got 'cat'"),
        ('{"a": [1]}', "id 'a': expected a list of class names"),
        ('{"a": ["cat"], "a": ["dog"]}', "the id 'a' is there already"),
        ('{"a": ["cta"]}', "id 'a': foreground class 'cta' is unknown"),
    ],
)
def test_malformed_json_is_explained(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_json(['a'], TABLE, path=write(tmp_path, text, 'labels.json'))
