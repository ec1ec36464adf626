from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import (
    RECORD_NAME,
    ClassMaps,
    Protocol,
    RecordError,
    load_class_maps,
    load_mask,
    make_record,
    read_record,
    save_class_maps,
    save_mask,
    write_record,
)
from mmwsss.refine import BaseRefiner, RefinerChain
from mmwsss.registry import REFINERS
from mmwsss.stages.masks import (
    MaskWriter,
    check_background,
    count_ids,
    hash_path,
    import_masks,
    make_masks,
    mask_protocol,
    mask_settings,
)
from mmwsss.utils.config import load_config
from mmwsss.utils.precision import set_precision
from tests.oracles.confusion import plain_labels
from tests.tiny_models import localizer_config

THRESHOLD = {'type': 'BackgroundThreshold', 'threshold': 0.5}


@REFINERS.register_module()
class MeanBrightness(BaseRefiner):
    """Background scores the mean of the image's red: a refiner that needs the image."""

    needs_image = True

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def input_files(self):
        return [self.weights] if self.weights else []

    def __call__(self, maps, image=None, image_id=''):
        background = np.full((1, *maps.scores.shape[1:]), image[..., 0].mean() / 255)
        scores = np.concatenate([background, maps.scores])
        return ClassMaps([0, *maps.keys], scores, maps.image_size)


def mask_config(demo_root, refiners=(THRESHOLD,)) -> Config:
    cfg = localizer_config(demo_root)
    cfg['mask_cfg'] = {'refiners': [dict(refiner) for refiner in refiners]}
    return Config(cfg)


@pytest.fixture
def case(demo_root, tmp_path):
    """A config, and random class maps of its eight images at half size."""
    cfg = mask_config(demo_root)
    dataset = DATASETS.build(cfg.map_dataset)
    rng = np.random.default_rng(0)
    ids = []
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        height, width = load_rgb(info['img_path']).shape[:2]
        keys = np.array(info['img_label'])
        scores = rng.random((len(keys), height // 2, width // 2), dtype=np.float32)
        maps = ClassMaps(keys, scores, (height, width))
        save_class_maps(tmp_path / 'maps' / f'{info["img_id"]}.npz', maps)
        ids.append(info['img_id'])
    classes = dataset.metainfo['classes']
    write_record(tmp_path / 'maps', make_record('maps', classes, 'train', ids))
    return cfg, tmp_path / 'maps', tmp_path / 'masks', ids


def files(folder) -> dict[str, Path]:
    found = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob('*.png'))}
    assert found
    return found


def contents(folder) -> dict[str, bytes]:
    return {name: file.read_bytes() for name, file in files(folder).items()}


@pytest.mark.parametrize('workers', [0, 2])
def test_masks_of_all_images_with_a_manifest(case, workers):
    cfg, maps, out, ids = case
    report = make_masks(cfg, maps, out, workers=workers)
    assert (report.done, report.failed, report.exit_code) == (ids, {}, 0)
    for name in ids:
        found = load_class_maps(maps / f'{name}.npz')
        labels = load_mask(out / f'{name}.png', 6, image_size=found.image_size)
        expected = plain_labels(found.full_size_scores(), found.keys.tolist(), 0.5)
        np.testing.assert_array_equal(labels, expected)
    manifest = read_record(out)
    assert manifest.complete
    assert (manifest.kind, manifest.split, manifest.ids_count) == ('masks', 'train', 8)
    assert manifest.settings == {
        'refiners': [THRESHOLD],
        'uses_ground_truth': False,
    }
    assert manifest.inputs == {'maps': read_record(maps).sha256(ids=False)}


def test_an_interrupted_run_continues_to_the_same_files(case, monkeypatch, tmp_path):
    cfg, maps, out, ids = case
    make_masks(cfg, maps, tmp_path / 'whole')
    calls = []
    write = MaskWriter.__call__

    def interrupted(self, name):
        calls.append(name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return write(self, name)

    monkeypatch.setattr(MaskWriter, '__call__', interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_masks(cfg, maps, out)
    assert not read_record(out).complete
    (out / f'{ids[0]}.png').write_bytes((out / f'{ids[0]}.png').read_bytes()[:40])  # cut short
    report = make_masks(cfg, maps, out)
    assert report.skipped == ids[1:3]
    assert report.done == [ids[0], *ids[3:]]
    assert contents(out) == contents(tmp_path / 'whole')
    assert read_record(out).complete


def test_other_settings_are_refused_until_overwritten(case, demo_root):
    cfg, maps, out, ids = case
    make_masks(cfg, maps, out)
    before = contents(out)
    other = mask_config(demo_root, [{**THRESHOLD, 'threshold': 0.8}])
    message = r'settings\.refiners\[0\]\.threshold does not fit: found 0\.5, expected 0\.8'
    with pytest.raises(RecordError, match=message):
        make_masks(other, maps, out)
    assert contents(out) == before
    assert make_masks(other, maps, out, overwrite=True).done == ids
    assert contents(out) != before


def test_another_content_of_a_refiners_folder_is_another_making(case, demo_root, tmp_path):
    _, maps, out, ids = case
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / 'a.json').write_text('1')
    cfg = mask_config(demo_root, [{'type': 'MeanBrightness', 'weights': str(folder)}])
    make_masks(cfg, maps, out)
    assert make_masks(cfg, maps, out).skipped == ids
    for change in (
        lambda: (folder / 'a.json').write_text('2'),
        lambda: (folder / 'a.json').rename(folder / 'b.json'),
    ):
        change()
        with pytest.raises(RecordError, match='made with another refiner_file_0 folder'):
            make_masks(cfg, maps, out)
        make_masks(cfg, maps, out, overwrite=True)


def test_a_folder_in_which_every_image_failed_may_be_made_in_another_way(case, demo_root):
    cfg, maps, out, ids = case
    hidden = maps.rename(maps.with_name('elsewhere'))
    maps.mkdir()
    shutil.copy(hidden / RECORD_NAME, maps)
    assert list(make_masks(cfg, maps, out).failed) == ids
    shutil.rmtree(maps)
    hidden.rename(maps)
    other = mask_config(demo_root, [{**THRESHOLD, 'threshold': 0.8}])
    assert make_masks(other, maps, out).done == ids


def test_a_threshold_for_maps_with_a_background_is_refused_at_once(case):
    cfg, maps, out, _ = case
    found = read_record(maps)
    write_record(maps, replace(found, settings={**found.settings, 'has_background': True}))
    with pytest.raises(
        ValueError, match=r'have a background of their own: leave BackgroundThresh.*\[\]'
    ):
        make_masks(cfg, maps, out)
    assert not out.exists()


def test_imported_maps_with_a_background_refuse_a_threshold_at_once(case, tmp_path):
    cfg, maps, out, _ = case
    found = read_record(maps)
    write_record(maps, replace(found, settings={**found.settings, 'has_background': True}))
    with pytest.raises(ValueError, match='have a background of their own'):
        import_masks(cfg, maps, out)
    assert not out.exists()


def test_a_threshold_behind_another_refiner_is_left_to_the_chain(case):
    _, maps, _, _ = case
    found = read_record(maps)
    found = replace(found, settings={**found.settings, 'has_background': True})
    check_background({'refiners': [{'type': 'MeanBrightness'}, THRESHOLD]}, found, maps)
    check_background({'refiners': []}, found, maps)
    with pytest.raises(ValueError, match='leave BackgroundThreshold out'):
        check_background({'refiners': [THRESHOLD, {'type': 'MeanBrightness'}]}, found, maps)


def test_broken_and_missing_maps_are_named_and_the_rest_is_done(case):
    cfg, maps, out, ids = case
    (maps / f'{ids[1]}.npz').write_bytes((maps / f'{ids[1]}.npz').read_bytes()[:100])
    (maps / f'{ids[4]}.npz').unlink()
    report = make_masks(cfg, maps, out, workers=2)
    assert list(report.failed) == [ids[1], ids[4]]
    assert f'{ids[1]}.npz is not a readable class map' in report.failed[ids[1]]
    assert f'class map not found: {maps / ids[4]}.npz' in report.failed[ids[4]]
    assert len(report.done) == 6
    assert report.exit_code == 1
    manifest = read_record(out)
    assert (manifest.complete, manifest.failed) == (False, [ids[1], ids[4]])


def test_maps_of_other_classes_or_another_split_are_refused(case):
    cfg, maps, out, ids = case
    good = read_record(maps)
    wrong = [*good.classes[:-1], 'unicorn']
    write_record(maps, make_record('maps', wrong, 'train', ids))
    with pytest.raises(RecordError, match=r'classes\[5\] does not fit: found "unicorn"'):
        make_masks(cfg, maps, out)
    write_record(maps, make_record('maps', good.classes, 'val', ids))
    with pytest.raises(RecordError, match='split does not fit: found "val", expected "train"'):
        make_masks(cfg, maps, out)
    write_record(maps, make_record('maps', good.classes, 'train', ids[:3]))
    with pytest.raises(RecordError, match=r'ids does not fit.*--list names those wanted'):
        make_masks(cfg, maps, out)
    write_record(maps, make_record('masks', good.classes, 'train', ids))
    with pytest.raises(RecordError, match='kind does not fit: found "masks", expected "maps"'):
        make_masks(cfg, maps, out)
    (maps / 'record.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'not found: .*maps/record\.json'):
        make_masks(cfg, maps, out)
    assert not out.exists()


def test_a_list_of_images(case):
    cfg, maps, out, ids = case
    assert make_masks(cfg, maps, out, ids=ids[2:4]).done == ids[2:4]
    assert len(contents(out)) == 2
    assert make_masks(cfg, maps, out).skipped == ids[2:4]  # the rest follows
    with pytest.raises(ValueError, match=r"1 of 2 ids are not in map_dataset, first \['nowhere'\]"):
        make_masks(cfg, maps, out, ids=[ids[0], 'nowhere'])
    (out / 'list.txt').write_text(f'{ids[0]}\nnowhere\n')
    message = r"list\.txt names 1 images that are not in map_dataset: 'nowhere' \(line 2\)"
    with pytest.raises(ValueError, match=message):
        make_masks(cfg, maps, out, ids=out / 'list.txt')


def test_masks_follow_maps_that_grow(case, tmp_path):
    cfg, maps, out, ids = case
    whole = read_record(maps)
    write_record(maps, make_record('maps', whole.classes, 'train', ids[:3]))
    assert make_masks(cfg, maps, out, ids=ids[:3]).done == ids[:3]
    write_record(maps, whole)
    with pytest.raises(RecordError, match=f'1 of 3 finished images are not asked .*: {ids[0]}; '):
        make_masks(cfg, maps, out, ids=ids[1:])  # more, but not these
    dataset = DATASETS.build(cfg.map_dataset)
    names = {
        info['img_id']: [dataset.metainfo['classes'][i] for i in info['img_label']]
        for info in dataset.load_data_list()
    }
    (tmp_path / 'labels.json').write_text(json.dumps({**names, ids[3]: []}))
    cfg.map_dataset.labels = dict(source='json', path=str(tmp_path / 'labels.json'))
    report = make_masks(cfg, maps, out)
    assert (report.skipped, report.done) == (ids[:3], ids[3:])
    (tmp_path / 'labels.json').write_text(json.dumps({**names, ids[3]: [], ids[0]: []}))
    with pytest.raises(RecordError, match=f'what 1 of 8 finished .* changed since: {ids[0]}'):
        make_masks(cfg, maps, out)
    (maps / 'sources.json').write_text(json.dumps({ids[0]: '[]', ids[1]: '[77]', ids[2]: 'null'}))
    with pytest.raises(
        RecordError, match=f'maps of 1 images .* other labels .* now: {ids[1]}; make'
    ):
        make_masks(cfg, maps, tmp_path / 'other')


def test_images_are_loaded_for_refiners_that_need_them(case, demo_root, tmp_path):
    _, maps, out, ids = case
    weights = tmp_path / 'weights.pth'
    weights.write_bytes(b'1')
    refiner = {'type': 'MeanBrightness', 'weights': str(weights)}
    cfg = mask_config(demo_root, [refiner])
    make_masks(cfg, maps, out)
    found = load_class_maps(maps / f'{ids[0]}.npz')
    image = load_rgb(demo_root / 'JPEGImages' / f'{ids[0]}.jpg')
    expected = plain_labels(
        found.full_size_scores(), found.keys.tolist(), image[..., 0].mean() / 255
    )
    np.testing.assert_array_equal(load_mask(out / f'{ids[0]}.png'), expected)
    manifest = read_record(out)
    assert list(manifest.inputs) == ['maps', 'refiner_file_0 weights.pth']
    assert manifest.protocol.threshold is None
    assert manifest.protocol.threshold_source == 'no threshold (argmax)'
    weights.write_bytes(b'2')
    with pytest.raises(RecordError, match=r'made with another refiner_file_0 weights\.pth'):
        make_masks(cfg, maps, out)


def test_images_are_not_touched_otherwise(case, demo_root, tmp_path):
    cfg, maps, out, _ = case
    cfg.map_dataset.data_prefix = {'img_path': str(tmp_path / 'no_images')}
    (tmp_path / 'no_images').mkdir()
    assert make_masks(cfg, maps, out).exit_code == 0


def test_load_rgb_gives_red_first(tmp_path):
    from PIL import Image

    picture = np.zeros((2, 3, 3), np.uint8)
    picture[..., 0] = 200
    Image.fromarray(picture).save(tmp_path / 'red.png')
    np.testing.assert_array_equal(load_rgb(tmp_path / 'red.png'), picture)


def test_source_of_the_threshold_is_recorded():
    cfg = {'map_dataset': {}, 'mask_cfg': {'refiners': [THRESHOLD], 'threshold_source': 'a sweep'}}
    assert mask_settings(Config(cfg))['threshold_source'] == 'a sweep'
    assert mask_settings(Config(cfg))['uses_ground_truth'] is False
    cfg['mask_cfg']['uses_ground_truth'] = True
    assert mask_settings(Config(cfg))['uses_ground_truth'] is True
    cfg['mask_cfg']['uses_ground_truth'] = 'yes'
    with pytest.raises(ValueError, match='must be True or False'):
        mask_settings(Config(cfg))


@pytest.mark.parametrize(
    ('cfg', 'error', 'message'),
    [
        ({'mask_cfg': {'refiners': []}}, KeyError, 'the config has no `map_dataset`'),
        ({'map_dataset': {}}, KeyError, 'the config has no `mask_cfg`'),
        ({'map_dataset': {}, 'mask_cfg': {}}, KeyError, 'mask_cfg needs `refiners`'),
        (
            {'map_dataset': {}, 'mask_cfg': {'refiners': ['x']}},
            ValueError,
            "refiners must hold dicts, but holds 'x'",
        ),
        (
            {'map_dataset': {}, 'mask_cfg': {'refiner': []}},
            ValueError,
            "key 'refiner' is unknown; the closest valid name is 'refiners'",
        ),
        (  # what --cfg-options make of a text with a comma
            {'map_dataset': {}, 'mask_cfg': {'refiners': [], 'threshold_source': ['a', 'b']}},
            ValueError,
            r"threshold_source must be a text, but got \['a', 'b'\]",
        ),
    ],
)
def test_configs_that_do_not_fit(cfg, error, message):
    with pytest.raises(error, match=message):
        mask_settings(Config(cfg))


def test_two_thresholds_are_refused():
    chain = RefinerChain([THRESHOLD, THRESHOLD])
    with pytest.raises(ValueError, match='2 background thresholds, expected at most one'):
        mask_protocol(Protocol(), chain, {}, 'train')


@pytest.fixture
def foreign(case, demo_root, tmp_path):
    """The ground truth as another program may hand it over: PNG and .npy in one folder."""
    _, _, _, ids = case
    truth = {name: load_mask(demo_root / 'SegmentationClass' / f'{name}.png') for name in ids}
    folder = tmp_path / 'foreign'
    for i, (name, labels) in enumerate(truth.items()):
        if i % 2:
            save_mask(folder / f'{name}.png', labels)
        else:
            folder.mkdir(exist_ok=True)
            np.save(folder / f'{name}.npy', labels.astype(np.int32))
    return folder, truth


@pytest.mark.parametrize('workers', [0, 2])
def test_masks_of_another_program_are_imported(case, foreign, workers, capsys):
    cfg, _, out, ids = case
    folder, truth = foreign
    save_mask(folder / 'stranger.png', truth[ids[0]])
    report = import_masks(cfg, folder, out, workers=workers)
    assert (report.done, report.failed) == (ids, {})
    for name in ids:
        np.testing.assert_array_equal(load_mask(out / f'{name}.png', 6), truth[name])
    manifest = read_record(out)
    assert manifest.complete
    assert manifest.kind == 'masks'
    assert manifest.settings == {'imported': 'masks', 'field': None}
    assert manifest.classes == list(DATASETS.build(cfg.map_dataset).metainfo['classes'])
    err = capsys.readouterr().err
    assert '1 of 9 files belong to no image of the dataset: stranger' in err
    assert 'image-level label' not in err
    assert import_masks(cfg, folder, out).skipped == ids
    size = (folder / f'{ids[0]}.npy').stat().st_size
    np.save(folder / f'{ids[0]}.npy', np.zeros(truth[ids[0]].shape, np.int32))
    assert (folder / f'{ids[0]}.npy').stat().st_size == size  # another content, not another size
    message = rf'what 1 of 8 finished .* has changed since: {ids[0]}\. .*--overwrite'
    with pytest.raises(RecordError, match=message):
        import_masks(cfg, folder, out)
    assert import_masks(cfg, folder, out, overwrite=True).done == ids


def test_repaired_files_are_imported_by_the_next_run(case, foreign):
    cfg, _, out, ids = case
    folder, truth = foreign
    (folder / f'{ids[1]}.png').write_bytes(b'x')
    np.save(folder / f'{ids[2]}.npy', truth[ids[2]][:-1])
    (folder / f'{ids[3]}.png').unlink()
    assert list(import_masks(cfg, folder, out).failed) == ids[1:4]
    before = {name: file.stat().st_mtime_ns for name, file in files(out).items()}
    again = import_masks(cfg, folder, out)
    assert (list(again.failed), again.exit_code) == (ids[1:4], 1)
    (folder / f'{ids[1]}.png').unlink()
    np.save(folder / f'{ids[1]}.npy', truth[ids[1]])  # in another format
    np.save(folder / f'{ids[2]}.npy', truth[ids[2]])
    some = import_masks(cfg, folder, out)
    assert (some.done, list(some.failed), some.exit_code) == (ids[1:3], [ids[3]], 1)
    save_mask(folder / f'{ids[3]}.png', truth[ids[3]])
    last = import_masks(cfg, folder, out)
    assert (last.done, last.failed, last.exit_code) == ([ids[3]], {}, 0)
    assert read_record(out).complete
    for name in ids:
        np.testing.assert_array_equal(load_mask(out / f'{name}.png', 6), truth[name])
    after = {name: file.stat().st_mtime_ns for name, file in files(out).items()}
    assert {name: after[name] for name in before} == before
    (folder / f'{ids[3]}.png').unlink()  # the file of a finished one is gone
    with pytest.raises(RecordError, match=f'what 1 of 8 .* has changed since: {ids[3]}'):
        import_masks(cfg, folder, out)


def test_files_of_images_under_way_may_change_after_an_interruption(case, foreign, monkeypatch):
    cfg, _, out, ids = case
    folder, truth = foreign
    write, bad = MaskWriter.save, folder / f'{ids[5]}.png'
    bad.write_bytes(b'x')

    def interrupted(self, name, labels):
        if name == ids[4]:
            raise KeyboardInterrupt
        write(self, name, labels)

    monkeypatch.setattr(MaskWriter, 'save', interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_masks(cfg, folder, out, ids=ids[:6])
    monkeypatch.setattr(MaskWriter, 'save', write)
    save_mask(bad, truth[ids[5]])
    report = import_masks(cfg, folder, out)  # of a longer list, too
    assert (report.skipped, report.done) == (ids[:4], ids[4:])


def test_another_array_of_the_same_files_is_another_making(case, foreign, tmp_path):
    cfg, _, out, ids = case
    _, truth = foreign
    both = tmp_path / 'both'
    both.mkdir()
    np.savez(both / f'{ids[0]}.npz', first=truth[ids[0]], second=np.zeros_like(truth[ids[0]]))
    assert import_masks(cfg, both, out, ids=ids[:1], field='first').done == ids[:1]
    with pytest.raises(RecordError, match=r'settings\.field does not fit: found "first"'):
        import_masks(cfg, both, out, ids=ids[:1], field='second')


def test_doubtful_masks_are_told_and_kept_in_the_record(case, capsys):
    cfg, maps, out, _ = case
    for _ in range(2):  # those that were finished before count, too
        cfg.mask_cfg.refiners = [dict(type='BackgroundThreshold', threshold=0.99999)]
        make_masks(cfg, maps, out)
        assert 'warning: the masks are nothing but background\n' in capsys.readouterr().err
        assert read_record(out).result == {'doubts': ['the masks are nothing but background']}


def test_findings_of_all_ranks_are_reported(case, foreign, monkeypatch, capsys):
    cfg, _, out, ids = case
    monkeypatch.setattr(
        'mmwsss.stages.masks.all_gather_object',
        lambda found: [found, {ids[6]: count_ids(np.array([[4, 0], [255, 0]]))}],
    )
    import_masks(cfg, foreign[0], out)
    name = read_record(out).classes[4]
    expected = f'masks hold classes that the label of their image does not have: {ids[6]}: {name}'
    assert f'warning: 1 of {len(ids)} {expected}\n' in capsys.readouterr().err
    (doubt,) = read_record(out).result['doubts']
    assert doubt.endswith(expected)


def test_bad_files_are_named_and_the_rest_is_imported(case, foreign, capsys):
    cfg, _, out, ids = case
    folder, truth = foreign
    np.save(folder / f'{ids[0]}.npy', truth[ids[0]][:-1])
    (folder / f'{ids[1]}.png').write_bytes(b'x')
    np.save(folder / f'{ids[2]}.npy', np.full_like(truth[ids[2]], 77))
    (folder / f'{ids[3]}.png').unlink()
    label = next(i for i in range(1, 6) if i not in np.unique(truth[ids[5]]))
    save_mask(folder / f'{ids[5]}.png', np.full_like(truth[ids[5]], label))
    report = import_masks(cfg, folder, out)
    assert list(report.failed) == ids[:4]
    for name, text in zip(
        ids, ['the mask is', 'not a whole PNG', 'outside the list: 77', 'no file of']
    ):
        assert text in report.failed[name]
    assert report.exit_code == 1
    assert read_record(out).failed == ids[:4]
    name = read_record(out).classes[label]
    expected = f'that the label of their image does not have: {ids[5]}: {name}'
    assert expected in capsys.readouterr().err


def test_maps_of_another_program_are_refined(case, tmp_path):
    cfg, maps, out, ids = case
    folder = tmp_path / 'foreign'
    folder.mkdir()
    for name in ids:
        found = load_class_maps(maps / f'{name}.npz')
        content = {'keys': found.keys - 1, 'cam': found.scores}
        np.save(folder / f'{name}.npy', content)
    assert import_masks(cfg, folder, out).done == ids
    make_masks(cfg, maps, tmp_path / 'ours')
    assert contents(out) == contents(tmp_path / 'ours')
    settings = read_record(out).settings
    assert read_record(out).protocol.threshold == 0.5
    assert (settings['imported'], settings['keys']) == (
        'maps',
        'foreground',
    )
    report = import_masks(cfg, folder, tmp_path / 'wrong', keys='ids')
    assert any('is --keys right?' in text for text in report.failed.values())
    cfg.pop('mask_cfg')
    with pytest.raises(KeyError, match='has no `mask_cfg`'):
        import_masks(cfg, folder, tmp_path / 'none')


def test_a_segmenters_config_is_enough_for_masks(case, foreign, tmp_path):
    cfg, _, out, ids = case
    folder, _ = foreign
    dataset = {k: v for k, v in cfg.map_dataset.items() if k not in ('labels', 'check_files')}
    dataset.update(pseudo_mask_dir=str(tmp_path / 'not there yet'), data_prefix=dict(
        img_path='JPEGImages', seg_map_path='nowhere'))  # fmt: skip
    segmenter = Config({'train_dataloader': {'dataset': dataset}})
    assert import_masks(segmenter, folder, out, ids=ids[:3]).done == ids[:3]
    with pytest.raises(KeyError, match='need `map_dataset` or `train_dataloader`'):
        import_masks(Config({'model': {}}), folder, out)
    with pytest.raises(ValueError, match='1 of 1 ids are not in map_dataset'):
        import_masks(segmenter, folder, out, ids=['nowhere'])


PROCESSES = {}


@REFINERS.register_module()
class OnAccelerator(MeanBrightness):
    """Pretends to use an accelerator; notes in which process it works."""

    @property
    def uses_accelerator(self):
        return True

    def start(self, maps, image=None, image_id=''):
        if image_id == PROCESSES.get('broken'):
            raise RuntimeError('out of memory')
        return self(maps, image, image_id), os.getpid()

    def finish(self, started, image=None, image_id=''):
        maps, process = started
        assert process == PROCESSES['main']
        assert (os.getpid() != process) == PROCESSES['pool']
        return maps


@pytest.mark.parametrize('workers', [0, 2])
def test_accelerator_here_and_the_rest_in_the_pool(case, demo_root, tmp_path, workers):
    _, maps, out, ids = case
    PROCESSES.update(main=os.getpid(), pool=workers > 0, broken=None)
    chain = [{'type': 'MeanBrightness'}, {'type': 'DenseCRF'}]
    make_masks(mask_config(demo_root, chain), maps, tmp_path / 'plain')
    chain[0]['type'] = 'OnAccelerator'
    cfg = mask_config(demo_root, chain)
    assert make_masks(cfg, maps, out, workers=workers).done == ids
    assert contents(out) == contents(tmp_path / 'plain')
    PROCESSES['broken'] = ids[2]
    report = make_masks(cfg, maps, tmp_path / 'partly', workers=workers)
    assert report.failed == {ids[2]: 'RuntimeError: out of memory'}
    PROCESSES['broken'] = None
    again = make_masks(cfg, maps, tmp_path / 'partly', workers=workers)
    assert (again.done, len(again.skipped)) == ([ids[2]], 7)
    assert contents(tmp_path / 'partly') == contents(out)


@pytest.fixture
def network(tmp_path):
    """The config of a network with a base, and a refiner that asks it."""
    (tmp_path / 'base.py').write_text("model = dict(type='IRNet', radius=5)\n")
    path = tmp_path / 'network.py'
    path.write_text("_base_ = './base.py'\n")
    return path, dict(type='RandomWalk', config=str(path), checkpoint='irnet.pth')


def test_a_config_counts_as_the_model_that_it_and_its_bases_describe(network, tmp_path):
    path, _ = network
    before = hash_path(str(path))
    path.write_text("# moved\n_base_ = './base.py'\noptim_wrapper = dict(type='OptimWrapper')\n")
    assert hash_path(str(path)) == before
    (tmp_path / 'base.py').write_text("model = dict(type='IRNet', radius=7)\n")
    assert hash_path(str(path)) != before


def test_the_config_of_a_network_needs_a_model(tmp_path):
    (tmp_path / 'c.py').write_text('seed = 1\n')
    with pytest.raises(ValueError, match=r'c\.py has no model: take the config of'):
        hash_path(str(tmp_path / 'c.py'))


def test_options_for_a_model_that_a_refiner_builds_from_the_file_are_refused(network):
    path, refiner = network
    rest = dict(map_dataset=dict(type='WSSSDataset'), mask_cfg=dict(refiners=[refiner]))
    cfg = load_config(path)
    cfg.merge_from_dict(rest)
    set_precision(cfg, 'bfloat16')
    mask_settings(cfg)
    cfg.model.radius = 7
    with pytest.raises(ValueError, match=r'network\.py: .* options for `model` do not reach'):
        mask_settings(cfg)


def test_overwriting_leaves_what_this_tool_did_not_make(case):
    cfg, maps, out, ids = case
    make_masks(cfg, maps, out)
    make_masks(cfg, maps, out / 'inner')
    before = contents(out / 'inner')
    (out / 'figures').mkdir()
    (out / 'figures' / 'mine.png').write_bytes(b'precious')
    cfg.mask_cfg.refiners[0].threshold = 0.6
    with pytest.raises(RecordError, match='threshold does not fit'):
        make_masks(cfg, maps, out)
    assert make_masks(cfg, maps, out, overwrite=True).done == ids
    assert contents(out / 'inner') == before
    assert (out / 'figures' / 'mine.png').read_bytes() == b'precious'
