import pytest

from mmwsss.datasets.label_sources import ClassTable, read_voc_xml
from mmwsss.datasets.label_sources.voc_xml import parse_xml
from tests.datasets.tiny import CLASSES, IDS, LABELS, xml_text

TABLE = ClassTable(CLASSES)


def test_reads_the_objects_and_not_their_parts(tiny):
    assert read_voc_xml(IDS, TABLE, path=str(tiny / 'xml')) == LABELS


def test_difficult_objects_count_unless_switched_off(tmp_path):
    (tmp_path / 'a.xml').write_text(xml_text([('dog', 1), ('cat', 0)]))
    assert read_voc_xml(['a'], TABLE, path=str(tmp_path)) == {'a': [1, 2]}
    got = read_voc_xml(['a'], TABLE, path=str(tmp_path), include_difficult=False)
    assert got == {'a': [1]}


def test_all_missing_files_are_counted_and_named(tiny):
    with pytest.raises(FileNotFoundError, match='lacks the XML files of 2 of 3 images: x, y'):
        read_voc_xml(['first', 'x', 'y'], TABLE, path=str(tiny / 'xml'))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<annotation>', 'is not well-formed XML'),
        ('<a><object><difficult>0</difficult></object></a>', 'an <object> has no <name>'),
        (
            xml_text([('kat', 0)]),
            "foreground class 'kat' is unknown; the closest valid name is 'cat'",
        ),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><a><object><name>&b;</name></object></a>',
            'entity definitions are refused',
        ),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    (tmp_path / 'bad.xml').write_text(text)
    with pytest.raises(ValueError, match=f'bad.xml.*{message}'):
        read_voc_xml(['bad'], TABLE, path=str(tmp_path))


def test_entities_in_another_encoding_are_refused():
    text = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with pytest.raises(ValueError, match='entity definitions are refused'):
        parse_xml(text.encode('utf-16'), 'bad.xml')


def test_ids_cannot_leave_the_folder(tiny):
    with pytest.raises(ValueError, match='stays inside'):
        read_voc_xml(['../xml/first'], TABLE, path=str(tiny / 'xml'))
