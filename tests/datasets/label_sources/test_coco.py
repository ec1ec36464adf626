import json

import pytest

from mmwsss.datasets.label_sources import ClassTable, read_coco
from mmwsss.datasets.label_sources.coco import image_name

TABLE = ClassTable(['background', 'cat', 'dog'])


def instances(**changes):
    content = {
        'images': [
            {'id': 7, 'file_name': 'train/a.jpg'},
            {'id': 8, 'coco_url': 'http://images/val/b.jpg'},
            {'id': 9, 'file_name': 'c.jpg'},
        ],
        # ids are not positions, and the order is not that of the classes
        'categories': [
            {'id': 30, 'name': 'dog'},
            {'id': 4, 'name': 'cat'},
            {'id': 5, 'name': 'lynx'},
        ],
        'annotations': [
            {'id': 1, 'image_id': 7, 'category_id': 30, 'iscrowd': 0},
            {'id': 2, 'image_id': 7, 'category_id': 30, 'iscrowd': 0},
            {'id': 3, 'image_id': 7, 'category_id': 4, 'iscrowd': 1},
            {'id': 4, 'image_id': 8, 'category_id': 4},
        ],
    }
    content.update(changes)
    return content


def write(tmp_path, content):
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(content))
    return str(path)


def test_categories_match_by_name_not_by_id(tmp_path):
    path = write(tmp_path, instances())
    got = read_coco(['train/a', 'a', 'b', 'c'], TABLE, path=path)
    assert got == {'train/a': [1, 2], 'a': [1, 2], 'b': [1], 'c': []}


def test_crowds_can_be_left_out(tmp_path):
    path = write(tmp_path, instances())
    assert read_coco(['a'], TABLE, path=path, include_crowd=False) == {'a': [2]}


def test_category_map_renames_and_drops(tmp_path):
    path = write(tmp_path, instances())
    got = read_coco(['a', 'b'], TABLE, path=path, category_map={'cat': 'dog'})
    assert got == {'a': [2], 'b': [2]}
    table = tmp_path / 'table.json'
    table.write_text(json.dumps({'lynx': 'cat', 'dog': 'dog'}))
    assert read_coco(['a', 'b'], TABLE, path=path, category_map=str(table)) == {'a': [2], 'b': []}


@pytest.mark.parametrize(
    ('category_map', 'message'),
    [
        ({'cta': 'cat'}, "category of .* 'cta' is unknown; the closest valid name is 'cat'"),
        ({'cat': 'katze'}, "category_map: foreground class 'katze' is unknown"),
    ],
)
def test_wrong_category_map(tmp_path, category_map, message):
    path = write(tmp_path, instances())
    with pytest.raises(ValueError, match=message):
        read_coco(['a'], TABLE, path=path, category_map=category_map)


def test_used_category_must_be_a_class(tmp_path):
    content = instances()
    content['annotations'].append({'id': 5, 'image_id': 9, 'category_id': 5})
    with pytest.raises(ValueError, match="foreground class 'lynx' is unknown"):
        read_coco(['a'], TABLE, path=write(tmp_path, content))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'annotations': None}, "no list 'annotations'"),
        (
            {'annotations': [{'id': 3, 'image_id': 7, 'category_id': 99}]},
            'annotation 3 has category_id 99',
        ),
        ({'images': [{'id': 7}]}, 'image 7 has neither file_name nor coco_url'),
        (
            {'annotations': [{'id': 3, 'image_id': '7', 'category_id': 4}]},
            r"annotation 3 has image_id '7', which is not among the images \(1 of 1 annotations\)",
        ),
        (
            {'images': [{'id': 7, 'file_name': 'a.jpg'}, {'id': 8, 'file_name': 'a.jpg'}]},
            "'images': the name 'a' is there 2 times",
        ),
        (
            {'images': [{'id': 7, 'file_name': 'a.jpg'}, {'id': 7, 'file_name': 'b.jpg'}]},
            "'images': the id 7 is there 2 times",
        ),
        (
            {'categories': [{'id': 4, 'name': 'cat'}, {'id': 30, 'name': 'cat'}]},
            "'categories': the name 'cat' is there 2 times",
        ),
        (
            {'categories': [{'id': 4, 'name': 'cat'}, {'id': 4, 'name': 'dog'}]},
            "'categories': the id 4 is there 2 times",
        ),
        ({'categories': [{'id': 4, 'name': ' '}]}, "a name of one line, but got ' '"),
        ({'categories': [{'id': 4, 'name': 'a\nb'}]}, r"a name of one line, but got 'a\\nb'"),
        ({'categories': [{'id': 4, 'name': 5}]}, 'a name of one line, but got 5'),
    ],
)
def test_malformed_instances(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_coco(['a'], TABLE, path=write(tmp_path, instances(**changes)))


def test_images_that_the_file_lacks(tmp_path):
    path = write(tmp_path, instances())
    with pytest.raises(ValueError, match='lacks 1 of 2 images: x'):
        read_coco(['a', 'x'], TABLE, path=path)


def test_same_file_name_in_two_folders_needs_the_folder(tmp_path):
    images = [{'id': 7, 'file_name': 'train/a.jpg'}, {'id': 8, 'file_name': 'val/a.jpg'}]
    path = write(tmp_path, instances(images=images))
    assert read_coco(['train/a', 'val/a'], TABLE, path=path) == {'train/a': [1, 2], 'val/a': [1]}
    with pytest.raises(ValueError, match='lacks 1 of 1 images: a'):
        read_coco(['a'], TABLE, path=path)


def test_a_file_of_the_same_name_in_another_folder_is_another_image(tmp_path):
    path = write(tmp_path, instances())
    with pytest.raises(ValueError, match='lacks 2 of 3 images: val/a, x/a'):
        read_coco(['train/a', 'val/a', 'x/a'], TABLE, path=path)


def test_a_name_without_folder_is_of_one_folder_only(tmp_path):
    path = write(tmp_path, instances())
    assert read_coco(['x/c'], TABLE, path=path) == {'x/c': []}
    for other in ('c', 'y/c'):
        message = f"its image 'c' may be 'x/c' or '{other}'; expected its folder in file_name"
        with pytest.raises(ValueError, match=message):
            read_coco(['x/c', other], TABLE, path=path)


def test_image_name_drops_the_suffix_only():
    assert (
        image_name({'file_name': 'x/COCO_val2014_000000000042.jpg'}, 'p')
        == 'x/COCO_val2014_000000000042'
    )
