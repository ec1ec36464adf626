from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from demo_data import DemoSettings, make_demo_data, render_item
from demo_data.part_coverage import main
from mmwsss.io.class_maps import ClassMaps, save_class_maps
from mmwsss.io.mask_io import save_mask
from mmwsss.io.record import read_record

SETTINGS = DemoSettings(train=3, val=0, min_size=48, max_size=64)


@pytest.fixture
def demo(tmp_path: Path) -> SimpleNamespace:
    """A dataset of three images, and predictions that hold the parts and no body."""
    make_demo_data(tmp_path / 'demo', **SETTINGS.as_dict())
    items = [render_item(SETTINGS, 'train', index) for index in range(3)]
    for image_id, item in zip(SETTINGS.ids('train'), items):
        labels = np.where(item.parts == 1, item.labels, 0)
        save_mask(tmp_path / 'masks' / f'{image_id}.png', labels)
        keys = np.array(item.class_ids)
        scores = (labels[None] == keys[:, None, None]).astype(np.float32)
        maps = ClassMaps(keys=keys, scores=scores, image_size=labels.shape)
        save_class_maps(tmp_path / 'maps' / f'{image_id}.npz', maps)
    return SimpleNamespace(data=tmp_path / 'demo', root=tmp_path, json=tmp_path / 'out.json')


def run(demo: SimpleNamespace, *args: str) -> int:
    return main([*args, '--data', str(demo.data), '--out', str(demo.json)])


def test_masks_and_maps_that_cover_the_parts_alone(demo, capsys) -> None:
    masks, maps = str(demo.root / 'masks'), str(demo.root / 'maps')
    assert run(demo, masks, maps, '--threshold', '0.5') == 0
    record = read_record(demo.json)
    found = record.result
    assert found[masks]['pooled'] == {'part_recall': 1.0, 'body_recall': 0.0, 'precision': 1.0}
    assert found[maps]['counts'] == found[masks]['counts']
    assert record.scores[0].protocol.images == 3
    assert record.scores[0].metrics == found[masks]['pooled']
    printed = capsys.readouterr().out
    assert 'all pixels' in printed
    assert '100.0          0.0        100.0' in printed


def test_class_without_pixels_is_null_in_json(demo, capsys) -> None:
    # The first three images show lantern, kite and beetle first; teapots may be missing.
    (demo.data / 'classes.txt').write_text('lantern\nkite\nbeetle\nteapot\numbrella\nghost\n')
    masks = str(demo.root / 'masks')
    assert run(demo, masks) == 0
    ghost = read_record(demo.json).result[masks]['per_class']['ghost']
    assert ghost == {'part_recall': None, 'body_recall': None, 'precision': None}
    assert 'NaN' not in demo.json.read_text()


def test_missing_prediction_is_named_and_the_rest_counted(demo, capsys) -> None:
    (demo.root / 'masks/train_0001.png').unlink()
    assert run(demo, str(demo.root / 'masks')) == 1
    assert 'failed: train_0001: ' in capsys.readouterr().out
    assert read_record(demo.json).scores[0].protocol.images == 2


def test_maps_without_background_need_a_threshold(demo, capsys) -> None:
    assert run(demo, str(demo.root / 'maps')) == 1
    assert 'has no background map: give a --threshold' in capsys.readouterr().out


def test_missing_split_is_one_line(demo, capsys) -> None:
    assert run(demo, str(demo.root / 'masks'), '--split', 'test') == 2
    assert 'test.txt' in capsys.readouterr().err


def test_threshold_out_of_range(demo, capsys) -> None:
    with pytest.raises(SystemExit):
        run(demo, str(demo.root / 'maps'), '--threshold', '1.5')
    assert '--threshold must lie in [0, 1], but got 1.5' in capsys.readouterr().err
