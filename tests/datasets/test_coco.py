from mmwsss.datasets import COCO14WSSSDataset


def test_80_different_names_in_the_order_of_category_ids():
    classes = COCO14WSSSDataset.METAINFO['classes']
    assert len(classes) == len(set(classes)) == 81
    assert len(COCO14WSSSDataset.METAINFO['palette']) == 81
    # COCO's category ids leave gaps; these positions are those of pycocotools' sorted ids
    assert {i: classes[i] for i in (0, 1, 12, 25, 61, 80)} == {
        0: 'background',
        1: 'person',
        12: 'stop sign',
        25: 'backpack',
        61: 'dining table',
        80: 'toothbrush',
    }


def test_expected_counts():
    assert COCO14WSSSDataset.EXPECTED_COUNTS['train'] == 82081
    assert COCO14WSSSDataset.EXPECTED_COUNTS['val'] == 40137
