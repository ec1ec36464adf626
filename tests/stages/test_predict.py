from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import inference_model, init_model
from PIL import Image

from mmwsss.apis import find_images, load_localizer, load_model, predict, segment_images
from mmwsss.io import RecordError, hash_file, load_mask, read_record
from mmwsss.stages.photos import by_name
from mmwsss.stages.predict import class_shares
from mmwsss.stages.show import show_images
from mmwsss.stages.test import run_test
from mmwsss.utils.precision import set_precision
from tests.tools.run import run_here


@pytest.fixture
def photos(demo_root, tmp_path):
    """Three photos: one in a sub-folder, one on its side by EXIF."""
    folder = tmp_path / 'photos'
    (folder / 'trip').mkdir(parents=True)
    source = demo_root / 'JPEGImages'
    shutil.copy(source / 'val_0000.jpg', folder / 'a.jpg')
    shutil.copy(source / 'val_0001.jpg', folder / 'trip' / 'b.JPG')
    with Image.open(source / 'val_0002.jpg') as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.resize((60, 40)).save(folder / 'turned.jpg', exif=exif)
    return folder


def test_a_damaged_photo_is_reported_once(tiny_segmenter, photos, tmp_path):
    cfg, checkpoint = tiny_segmenter
    cfg.dump(tmp_path / 'config.py')
    (photos / 'broken.jpg').write_bytes(b'no image')
    (photos / 'scan.TIF').write_bytes(b'no image')
    done = run_here(
        'predict.py', tmp_path / 'config.py', checkpoint, photos, '--out', tmp_path / 'out',
        '--device', 'cpu',
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("image 'broken' cannot be read") == 1, done.stderr
    assert '3 done, 0 skipped (finished before), 2 failed' in done.stderr
    assert done.stderr.endswith('failed: broken, scan (reasons above)\n')


def test_a_segmenter_of_mmseg_predicts_as_mmseg_does(tiny_segmenter, photos, tmp_path):
    cfg, checkpoint = tiny_segmenter
    cfg.dump(tmp_path / 'config.py')
    done = run_here(
        'predict.py', tmp_path / 'config.py', checkpoint, photos, '--out', tmp_path / 'out',
        '--device', 'cpu', '--overlay',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '3 done, 0 skipped' in done.stdout
    model = init_model(str(tmp_path / 'config.py'), str(checkpoint), 'cpu')
    masks = {}
    for name, path in find_images(photos):
        masks[name] = load_mask(tmp_path / 'out' / f'{name}.png', 6)
        expected = inference_model(model, str(path)).pred_sem_seg.data[0].numpy()
        if name != 'turned':
            np.testing.assert_array_equal(masks[name], expected)
        with Image.open(tmp_path / 'out' / 'overlays' / f'{name}.jpg') as picture:
            assert picture.size == masks[name].shape[::-1]
    assert list(masks) == ['a', 'trip/b', 'turned']
    assert masks['turned'].shape == (60, 40)
    record = read_record(tmp_path / 'out', kind='masks')
    assert record.complete
    assert record.protocol.image_labels is False
    table = {row['name']: row for row in record.result['classes']}
    every = np.concatenate([mask.ravel() for mask in masks.values()])
    for class_id, name in enumerate(record.classes):
        count = int((every == class_id).sum())
        if count:
            assert table[name]['pixels'] == count
            assert table[name]['share'] == pytest.approx(count / len(every))
            assert table[name]['images'] == sum(class_id in mask for mask in masks.values())
            assert f'{count:,}' in done.stdout
        else:
            assert name not in table
    assert len(table) >= 2


def test_predictions_go_on_and_know_their_photos(tiny_segmenter, photos, tmp_path):
    cfg, checkpoint = tiny_segmenter
    out = photos / 'masks'  # inside the folder of photos, whose masks are no photos

    def run(**options):
        return predict(cfg, checkpoint, find_images(photos), out, device='cpu', **options)

    assert run().done == ['a', 'trip/b', 'turned']
    assert run().skipped == ['a', 'trip/b', 'turned']
    other = Config(cfg.to_dict())
    other.test_pipeline.insert(1, dict(type='Resize', scale=(40, 40)))
    with pytest.raises(RecordError, match='its files were made with another model'):
        predict(other, checkpoint, find_images(photos), out, device='cpu')
    assert run(overlays=True).done == ['a', 'trip/b', 'turned']
    shutil.copy(photos / 'a.jpg', photos / 'c.jpg')
    (photos / 'broken.jpg').write_bytes(b'no image')
    report = run(overlays=True)
    assert (report.done, list(report.failed)) == (['c'], ['broken'])
    assert read_record(out).failed == ['broken']
    assert max(row['images'] for row in read_record(out).result['classes']) == 4
    shutil.copy(photos / 'c.jpg', photos / 'broken.jpg')
    assert run().done == ['broken']
    shutil.copy(photos / 'trip' / 'b.JPG', photos / 'c.jpg')
    with pytest.raises(RecordError, match=r'what 1 of 5 finished images .* changed since: c'):
        run()
    with pytest.raises(
        RecordError, match=r'3 of 5 finished .* not asked for now: broken, c, turned'
    ):
        predict(cfg, checkpoint, find_images([photos / 'a.jpg', photos / 'trip/b.JPG']), out)
    cfg.dump(tmp_path / 'config.py')
    cfg = tmp_path / 'config.py'
    assert len(run(overwrite=True).done) == 5
    with pytest.raises(ValueError, match='all images lie in the output folder'):
        predict(cfg, checkpoint, find_images(out), out)
    with pytest.raises(ValueError, match=r'for the class maps of a localizer.*EncoderDecoder'):
        run(labels=['kite'])
    with pytest.raises(ValueError, match="device 'gpu' cannot be used"):
        predict(cfg, checkpoint, find_images(photos), tmp_path / 'x', device='gpu')


def test_a_segmenter_in_lower_precision(tiny_segmenter, photos, tmp_path):
    cfg, checkpoint = tiny_segmenter
    exact = load_model(cfg, checkpoint, 'cpu')
    set_precision(cfg, 'bfloat16')
    lowered = load_model(cfg, checkpoint, 'cpu')
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        with torch.autocast('cpu', dtype=torch.bfloat16):
            expected = exact.backbone(images)
        found = lowered.backbone(images)
    assert all(torch.equal(a, b.float()) for a, b in zip(found, expected))
    out, images = tmp_path / 'out', find_images(photos / 'a.jpg')
    predict(cfg, checkpoint, images, out, device='cpu')
    assert read_record(out).protocol.notes[-1] == 'backbone in bfloat16'


def test_a_localizer_predicts_with_refiners_of_either_config(tiny_cam, photos, tmp_path):
    cfg, checkpoint = tiny_cam
    images = find_images(photos)
    expected = list(segment_images(load_localizer(cfg, checkpoint, 'cpu'), photos, ['kite']))
    predict(cfg, checkpoint, images, tmp_path / 'own', labels=['kite'], device='cpu')
    for one in expected:
        mask = load_mask(tmp_path / 'own' / f'{one.name}.png', 6)
        np.testing.assert_array_equal(mask, one.mask)
    assert any(one.mask.any() for one in expected)
    record = read_record(tmp_path / 'own')
    assert record.protocol.threshold == 0.3
    assert record.protocol.image_labels
    boxes = tmp_path / 'boxes.json'
    named = [{'id': i, 'file_name': str(p.relative_to(photos))} for i, (_, p) in enumerate(images)]
    boxes.write_text(json.dumps({'images': named, 'annotations': [], 'categories': []}))
    other = Config({**cfg.to_dict(), 'mask_cfg': dict(refiners=[
        dict(type='BoxConstraint', boxes=str(boxes), classes=['kite']),
        dict(type='BackgroundThreshold', threshold=0.1),
    ])})  # fmt: skip
    predict(cfg, checkpoint, images, tmp_path / 'other', mask_config=other, device='cpu')
    assert [row['name'] for row in read_record(tmp_path / 'other').result['classes']] == [
        'background'
    ]
    assert read_record(tmp_path / 'other').protocol.image_labels is False
    assert hash_file(boxes) in read_record(tmp_path / 'other').inputs.values()


def test_segmenters_in_python_and_in_pictures(tiny_segmenter, photos, tmp_path):
    cfg, checkpoint = tiny_segmenter
    model = load_model(cfg, checkpoint, 'cpu')
    assert model.dataset_meta['classes'][0] == 'background'  # from the config's dataset
    first, *rest = segment_images(model, str(photos / '**' / '*.jpg'))
    assert (first.name, first.maps, len(rest)) == ('a', None, 1)
    assert first.mask.shape == first.image.shape[:2]
    show_images(model, find_images(photos), tmp_path / 'shown')
    with Image.open(tmp_path / 'shown' / 'trip' / 'b.png') as picture:
        assert 1.4 < picture.width / picture.height < 2.4  # image and mask, no maps
    with pytest.raises(TypeError, match='is this the config of a segmenter'):
        load_localizer(cfg, checkpoint, 'cpu')
    cfg.pop('test_dataloader')
    content = torch.load(checkpoint, weights_only=True)
    content['meta'] = {'CLASSES': list('abcdef'), 'PALETTE': None}  # as mmseg wrote before 1.0
    torch.save(content, checkpoint)
    assert load_model(cfg, checkpoint, 'cpu').dataset_meta['classes'] == list('abcdef')
    del content['meta']
    torch.save(content, checkpoint)
    assert load_model(cfg, checkpoint, 'cpu').dataset_meta['classes'][5] == 'class 5'
    elsewhere = dict(type='PascalVOCDataset', data_root='none', ann_file='list.txt')
    cfg.test_dataloader = dict(dataset=elsewhere)
    assert load_model(cfg, checkpoint, 'cpu').dataset_meta['classes'][5] == 'class 5'


def test_names_of_files_folders_and_patterns(photos, monkeypatch):
    def names(*paths):
        return [name for name, _ in find_images(paths)]

    assert names(photos / 'trip' / 'b.JPG') == ['b']
    assert names(photos / 'a.jpg', photos / 'trip' / 'b.JPG') == ['a', 'trip/b']
    assert names(photos / '*' / '*.JPG') == ['trip/b']
    assert names(photos / 'trip', photos / 'a.jpg') == ['b', 'a']
    monkeypatch.chdir(photos)
    assert names('*.jpg') == ['a', 'turned']
    (photos / '.hidden.jpg').write_bytes(b'')
    (photos / '.thumbnails').mkdir()
    (photos / '.thumbnails' / 'a.jpg').write_bytes(b'')
    (photos / 'a[1].jpg').write_bytes(b'')
    assert names('a[1].jpg') == ['a[1]']
    assert names('.') == ['a', 'a[1]', 'trip/b', 'turned']
    (photos / 'more').symlink_to(photos / 'trip')
    (photos / 'trip' / 'gone.jpg').symlink_to(photos / 'nowhere.jpg')
    assert names('.') == ['a', 'a[1]', 'more/b', 'more/gone', 'trip/b', 'trip/gone', 'turned']
    (photos / 'more').unlink()
    monkeypatch.chdir(photos / 'trip')
    assert names('b.JPG', '../a.jpg') == ['trip/b', 'a']
    monkeypatch.chdir(photos)
    with pytest.raises(FileNotFoundError, match=r'\*\.png matches no image'):
        find_images('*.png')
    assert by_name(find_images(['a.jpg', './a.jpg'])) == {'a': Path('a.jpg')}
    shutil.copy('a.jpg', 'a.png')
    with pytest.raises(ValueError, match=r'1 names belong to several images .*: a$'):
        by_name(find_images('.'))


def test_shares_count_pixels_and_images():
    counts = [np.array([6, 0, 2]), np.bincount([0, 0, 2, 255], minlength=256)]
    assert class_shares(counts, ['background', 'cat', 'dog']) == [
        {'name': 'background', 'pixels': 8, 'share': 8 / 12, 'images': 2},
        {'name': 'dog', 'pixels': 3, 'share': 3 / 12, 'images': 2},
        {'name': 'undecided', 'pixels': 1, 'share': 1 / 12, 'images': 1},
    ]
    assert class_shares([], ['background']) == []


def test_a_test_set_without_masks_is_predicted_with_its_subfolders(
    tiny_segmenter, photos, tmp_path
):
    cfg, checkpoint = tiny_segmenter
    cfg.work_dir = str(tmp_path / 'work')
    cfg.test_dataloader.dataset = dict(
        type='WSSSDataset',
        classes='classes.txt',
        data_root=cfg.test_dataloader.dataset.data_root,
        data_prefix=dict(img_path=str(photos)),
        test_mode=True,
        pipeline=cfg.test_pipeline,
    )
    with pytest.raises(ValueError, match=r'no masks .* to score against; --out DIR predicts it'):
        run_test(cfg.copy(), checkpoint)
    single = cfg.copy()
    assert run_test(single, checkpoint, out=str(tmp_path / 'out')) == {}
    record = read_record(tmp_path / 'work')
    assert (record.complete, record.scores) == (True, [])
    predict(cfg, checkpoint, find_images(photos), tmp_path / 'predicted', device='cpu')
    for name in ('a', 'trip/b'):
        with Image.open(tmp_path / 'out' / f'{name}.png') as image:
            assert image.mode == 'P'
            assert image.getpalette()[3:6] == [128, 0, 0]  # VOC's first class
            np.testing.assert_array_equal(
                image, load_mask(tmp_path / 'predicted' / f'{name}.png', 6)
            )
    views = [
        [dict(type='RandomFlip', prob=1.0)],
        [dict(type='LoadAnnotations')],
        [dict(type='PackSegInputs')],
    ]
    cfg.tta_model = dict(type='SegTTAModel')
    cfg.tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=views)]
    cfg.test_dataloader.dataset = dict(
        type='WSSSConcatDataset', datasets=[cfg.test_dataloader.dataset]
    )
    run_test(cfg, checkpoint, tta=True, out=str(tmp_path / 'mirrored'))
    assert len(list((tmp_path / 'mirrored').rglob('*.png'))) == 3
    assert (tmp_path / 'mirrored' / 'trip' / 'b.png').is_file()  # without the id, by its path


def test_a_localizer_writes_no_masks_in_a_test(tiny_cam, tmp_path):
    cfg, checkpoint = tiny_cam
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    with pytest.raises(ValueError, match=r'--out writes the masks of a segmenter.*predict'):
        run_test(cfg, checkpoint, out=str(tmp_path / 'out'))
