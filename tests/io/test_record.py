from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from mmwsss.io import (
    Protocol,
    Record,
    Recorder,
    RecordError,
    Score,
    check_record,
    hash_file,
    hash_ids,
    make_record,
    read_record,
    write_record,
)
from mmwsss.io.record import ARGMAX, BEST_OF_SWEEP
from mmwsss.utils.resources import ROOT

CLASSES = ['background', 'cat', 'dog']


def some_record(**changes):
    values = {
        'kind': 'masks',
        'classes': CLASSES,
        'split': 'train',
        'ids': ['a', 'b'],
        'settings': {'refiners': [{'type': 'BackgroundThreshold', 'threshold': 0.3}]},
        'inputs': {'maps': '12'},
        'config_text': 'model = 1',
    }
    return make_record(**{**values, **changes})


def test_round_trip(tmp_path):
    record = some_record(settings={'scales': (1.0, np.float64(0.5)), 'flip': True})
    assert write_record(tmp_path / 'new', record) == tmp_path / 'new' / 'record.json'
    found = read_record(tmp_path / 'new')
    assert found == record
    assert found.settings == {'scales': [1.0, 0.5], 'flip': True}
    assert found.ids_count == 2
    assert found.config_sha256 == hashlib.sha256(b'model = 1').hexdigest()
    assert found.created.endswith('+00:00')
    assert found.code


def test_hash_of_ids_does_not_depend_on_order():
    assert hash_ids(['b', 'a']) == hash_ids(['a', 'b']) == hashlib.sha256(b'a\nb').hexdigest()
    assert hash_ids(['ab']) != hash_ids(['a', 'b'])


def test_hash_of_a_file(tmp_path):
    (tmp_path / 'x').write_bytes(b'123')
    assert hash_file(tmp_path / 'x') == hashlib.sha256(b'123').hexdigest()
    with pytest.raises(FileNotFoundError, match='nothing'):
        hash_file(tmp_path / 'nothing')


def test_record_hash_follows_the_content_only():
    record = some_record()
    assert record.sha256() == some_record(config_text='y', complete=False).sha256()
    assert record.sha256() != some_record(settings={}).sha256()
    assert record.sha256() != some_record(ids=['other']).sha256()
    assert record.sha256(ids=False) == some_record(ids=['other']).sha256(ids=False)


def test_check_accepts_what_fits():
    check_record(
        some_record(),
        kind='masks',
        classes=tuple(CLASSES),
        split='train',
        ids=['b', 'a'],
        settings={'refiners': [{'type': 'BackgroundThreshold', 'threshold': 0.3}]},
        inputs={'maps': '12'},
    )
    check_record(some_record())


@pytest.mark.parametrize(
    ('expected', 'message'),
    [
        ({'kind': 'maps'}, 'kind does not fit: found "masks", expected "maps"'),
        ({'split': 'val'}, 'split does not fit: found "train", expected "val"'),
        (
            {'classes': ['background', 'cat', 'cow']},
            r'classes\[2\] does not fit: found "dog", expected "cow"',
        ),
        ({'classes': ['background', 'cat']}, r'classes does not fit: found .*"dog"\], expected'),
        ({'ids': ['a']}, r"ids does not fit: found 'train' \(2 images, \w+\), expected 1 images"),
        ({'ids': ['a', 'c']}, 'ids does not fit'),
        (
            {'settings': {'refiners': [{'type': 'BackgroundThreshold', 'threshold': 0.4}]}},
            r'settings\.refiners\[0\]\.threshold does not fit: found 0\.3, expected 0\.4',
        ),
        ({'settings': {'refiners': []}}, r'settings\.refiners .* expected \[\]'),
        ({'settings': {}}, r'settings\.refiners does not fit: found \[.*, expected nothing'),
        ({'inputs': {'maps': '13'}}, r'inputs\.maps does not fit: found "12", expected "13"'),
    ],
)
def test_check_names_field_and_both_values(expected, message):
    with pytest.raises(RecordError, match=rf'^here: {message}'):
        check_record(some_record(), folder='here', **expected)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'is not JSON'),
        ('[]', "format 1, but got 'list'"),
        ('{"format": 2}', 'format 1, but got 2'),
        ('{"format": 1}', "missing .* argument: 'kind'"),
    ],
)
def test_unreadable_record_is_named(tmp_path, content, message):
    (tmp_path / 'record.json').write_text(content)
    with pytest.raises(RecordError, match=message) as error:
        read_record(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_unknown_fields_are_left_out(tmp_path):
    path = write_record(tmp_path, some_record())
    path.write_text(json.dumps({**json.loads(path.read_text()), 'added_later': 1}))
    assert read_record(tmp_path).split == 'train'


def test_missing_record(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'not found: .*record\.json'):
        read_record(tmp_path)


def test_settings_must_be_plain():
    with pytest.raises(TypeError, match='plain values, but got set'):
        some_record(settings={'a': {1}})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'classes': ['a', 1]}, r"classes\[1\]: expected <class 'str'>, but got 1"),
        ({'seconds': True}, r"seconds: expected <class 'float'>, but got true"),
        ({'protocol': {'threshold': 'x'}}, r'protocol: threshold: expected .*float.*, but got "x"'),
        ({'scores': [{'what': 'masks'}]}, r"scores\[0\]: .* missing .* argument: 'protocol'"),
        ({'inputs': {'maps': None}}, r'inputs\.maps: expected .* but got nothing'),
    ],
)
def test_part_of_another_type_is_named(tmp_path, change, message):
    path = write_record(tmp_path, some_record())
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path)


def test_scores_and_protocol_come_back(tmp_path):
    protocol = Protocol('train', 5, scales=[1.0, 0.5], threshold=0.3, threshold_source='config')
    score = Score(
        'maps', protocol, {'mIoU': 0.25, 'IA_S': None}, {'cat': 0.5}, [(0.1, 0.2), (0.2, None)]
    )
    write_record(tmp_path, some_record(scores=[score]))
    (found,) = read_record(tmp_path).scores
    assert found == score
    assert found.miou == 0.25


@pytest.mark.parametrize(
    ('protocol', 'text'),
    [
        (
            Protocol('train', 8, 2, [1.0, 0.5], True, ['RandomWalk', 'DenseCRF'], True, 0.25, 'config',
                     True, True, 'image labels', 'scratch', ['seeds']),
            '8 train images (2 of 10 failed), scales 1, 0.5 with mirrors, refiners RandomWalk > DenseCRF, '
            'CRF, threshold 0.25: config, trained on image labels, initial weights scratch, seeds, '
            'chosen on these masks: uses ground truth',
        ),
        (
            Protocol('val', 3, crf=False, image_labels=False),
            '3 val images, no CRF, no image labels at inference',
        ),
        (
            Protocol('', 1, threshold_source=ARGMAX, crf=False),
            '1 images, no CRF, no threshold (argmax)',
        ),
        (
            Protocol('t', 1, threshold=0.4, threshold_source=BEST_OF_SWEEP, image_labels=True,
                     uses_ground_truth=True),
            '1 t images, threshold 0.4: best of a sweep, uses ground truth',
        ),
    ],
)  # fmt: skip
def test_text_of_a_protocol(protocol, text):
    assert protocol.text() == text


def test_recorder_keeps_request_and_time(tmp_path):
    write_record(tmp_path, Record('maps', request={'run': 'maps'}, seconds=5.0, complete=False))
    recorder = Recorder(tmp_path, some_record(kind='maps'))
    begun = read_record(tmp_path)
    assert begun.request == {'run': 'maps'}
    assert not begun.complete
    assert begun.ids_sha256
    done = recorder.finish(failed=['a'], complete=False)
    assert done == read_record(tmp_path)
    assert done.seconds >= 5
    assert (done.failed, done.complete) == (['a'], False)
    with pytest.raises(
        RecordError, match="has a record of 'maps', which one of 'test' would replace"
    ):
        Recorder(tmp_path, some_record(kind='test'))
    assert read_record(tmp_path) == done


@pytest.mark.parametrize(
    ('argv', 'command'),
    [
        (['mine/train.py', 'my config.py'], "python mine/train.py 'my config.py'"),
        ([str(ROOT / 'tools/make_maps.py'), 'c.py'], 'mmwsss maps c.py'),
        ([str(ROOT / 'tools/dataset_converters/generic.py'), 'x'], 'mmwsss data generic x'),
        (['mmwsss data generic', 'a b'], "mmwsss data generic 'a b'"),
    ],
)
def test_the_command_is_one_that_anybody_can_type(monkeypatch, argv, command):
    monkeypatch.setattr('sys.argv', argv)
    assert make_record('train').command == command
