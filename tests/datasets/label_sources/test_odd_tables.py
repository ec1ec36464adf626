"""Odd tables of labels: read as they are meant, or refused with the line; never classes that nobody named."""

import pytest

from mmwsss.datasets.label_sources.table import load_csv_names

BOTH = {'a': ['cat', 'dog'], 'b': ['cat']}


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('a,"cat, dog"\nb,cat\n', BOTH),
        ('a,"cat,dog"\nb,cat\n', BOTH),
        ('a,cat|dog\nb,cat\n', BOTH),
        ('a,cat | dog\nb,cat\n', BOTH),
        ('a,cat;dog\nb,cat\n', BOTH),
        ('filename,labels\na,cat;dog\nb,cat\n', BOTH),
        ('file,tags\na,cat|dog\nb,cat\n', BOTH),
        ('File_Name,Classes\na,"cat, dog"\nb,cat\n', BOTH),
        ('image_name,label\r\na,cat;dog\r\nb,cat\r\n', BOTH),
        ('id,cat,dog\na,1,1\nb,1,0\n', BOTH),
        ('id, cat, dog\na, 1, 1\nb, 1, 0\n', BOTH),
        ('filename,dog,cat\na,1,1\nb,0,1\n', {'a': ['dog', 'cat'], 'b': ['cat']}),
        ('id,cat,dog\na,1.0,1.0\nb,1.0,0.0\n', BOTH),
        ('id,defect\na,True\nb,False\n', {'a': ['defect'], 'b': []}),
        ('id,defect\na,1\nb,0\n', {'a': ['defect'], 'b': []}),
        ('id,defect\na,0\nb,0\n', {'a': [], 'b': []}),
        ('\ufeffid,cat,dog\na,1,1\n\nb,1,0\n', BOTH),
        ('a,\nb,cat\n', {'a': [], 'b': ['cat']}),
        ('a,"big cat"\nb,cat\n', {'a': ['big cat'], 'b': ['cat']}),
        ('a,3\nb,7\n', {'a': ['3'], 'b': ['7']}),
        ('id,class names\na,1\nb,0\n', {'a': ['1'], 'b': ['0']}),  # as the converter writes them
    ],
)
def test_read_as_meant(tmp_path, text, wanted):
    (tmp_path / 'labels.csv').write_text(text, encoding='utf-8')
    assert {
        k: names for k, (names, _) in load_csv_names(str(tmp_path / 'labels.csv')).items()
    } == wanted


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('id,label\na,0\nb,1\n', 'line 1: the labels are 0 and 1, which name no class'),
        ('id,class\na,1\n', 'line 1: the labels are 0 and 1'),
        ('a,0\nb,1\n', 'line 1: the labels are 0 and 1'),
        ('a,0,1\nb,1,0\n', 'line 1: the labels are 0 and 1'),
        ('id,cat,dog\na,1,1\nb,1\n', 'line 1: the labels are 0 and 1'),
        ('id,cat,\na,1,1\n', 'line 1: the labels are 0 and 1'),
        ('id,cat,dog\na,1,0\nb,0,\n', "line 3: expected 0 or 1 in column 'dog', but got ''"),
        ('id,cat,dog\na,1,2\nb,0,1\n', "line 2: expected 0 or 1 in column 'dog', but got '2'"),
        ('id,cat,dog\na,1,2\n', 'line 2: expected'),
        ('id,cat,dog\na,0.5,0.5\n', 'line 2: expected'),
        ('id,cat,dog\na,1,\n', 'line 2: expected'),
        ('id,cat,dog\na,yes,no\n', 'line 2: expected'),
        ('a,cat,dog\nb,cat\n', 'line 1: expected'),
        ('a;cat\nb;dog\n', 'line 1: expected'),
        ('a\tcat\nb\tdog\n', 'line 1: expected'),
        ('a,cat||dog\n', 'line 1: expected'),
        ('a,"cat,,dog"\n', 'line 1: expected'),
        ('a,"cat,"\n', 'line 1: expected'),
        ('id,label\n,cat\n', 'line 2: expected'),
        ('a,cat\na,dog\n', 'line 2: the id'),
    ],
)
def test_refused_with_the_line(tmp_path, text, message):
    (tmp_path / 'labels.csv').write_text(text, encoding='utf-8')
    with pytest.raises(ValueError, match=message):
        load_csv_names(str(tmp_path / 'labels.csv'))
