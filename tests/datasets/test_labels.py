import json

import pytest

from mmwsss.datasets.labels import LABEL_SOURCES, read_image_ids, read_image_labels
from tests.datasets.tiny import CLASSES, IDS, LABELS


@pytest.mark.parametrize(
    ('source', 'path'), [('voc_xml', 'xml'), ('masks', 'masks'), ('csv', 'labels.csv')]
)
def test_all_sources_give_the_same_labels(tiny, source, path):
    config = {'source': source, 'path': str(tiny / path)}
    assert read_image_labels(config, IDS, CLASSES) == LABELS
    assert config == {'source': source, 'path': str(tiny / path)}


def test_options_reach_the_reader(tiny):
    config = {'source': 'masks', 'path': str(tiny / 'masks'), 'min_pixels': 1000}
    assert read_image_labels(config, IDS, CLASSES) == {name: [] for name in IDS}


@pytest.mark.parametrize('source', [None, 'xml', 'coco_json'])
def test_unknown_source(source):
    with pytest.raises(ValueError, match=f'labels: source {source!r} is unknown; '):
        read_image_labels({'source': source, 'path': 'x'}, ['a'], CLASSES)


@pytest.mark.parametrize('source', sorted(LABEL_SOURCES))
def test_unknown_option_names_the_closest(source):
    with pytest.raises(ValueError, match=f"source '{source}' 'paht' is unknown; .* 'path'"):
        read_image_labels({'source': source, 'paht': 'x'}, ['a'], CLASSES)


@pytest.mark.parametrize('source', sorted(LABEL_SOURCES))
def test_path_is_needed(source):
    with pytest.raises(ValueError, match=f"source '{source}' needs a path"):
        read_image_labels({'source': source}, ['a'], CLASSES)


@pytest.mark.parametrize('source', ['csv', 'json', 'coco', 'npy'])
def test_missing_file(tmp_path, source):
    with pytest.raises(FileNotFoundError, match='nope'):
        read_image_labels({'source': source, 'path': str(tmp_path / 'nope')}, ['a'], CLASSES)


def test_ids_of_label_files(tmp_path, tiny):
    assert read_image_ids(str(tiny / 'labels.csv')) == IDS
    path = tmp_path / 'names.json'
    path.write_text(json.dumps({'b': [], 'a': ['cat']}))
    assert read_image_ids(str(path)) == ['b', 'a']
    images = [{'id': 1, 'file_name': 'train/x.jpg'}]
    path.write_text(json.dumps({'images': images, 'annotations': [], 'categories': []}))
    assert read_image_ids(str(path)) == ['train/x']
    path.write_text('{')
    with pytest.raises(ValueError, match='is not JSON'):
        read_image_ids(str(path))
