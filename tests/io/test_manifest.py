from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from mmwsss.io import (
    ManifestError,
    check_manifest,
    hash_file,
    hash_ids,
    make_manifest,
    read_manifest,
    write_manifest,
)

CLASSES = ['background', 'cat', 'dog']


def some_manifest(**changes):
    values = {
        'stage': 'masks',
        'classes': CLASSES,
        'split': 'train',
        'ids': ['a', 'b'],
        'settings': {'refiners': [{'type': 'BackgroundThreshold', 'threshold': 0.3}]},
        'inputs': {'maps': '12'},
        'config_text': 'model = 1',
    }
    return make_manifest(**{**values, **changes})


def test_round_trip(tmp_path):
    manifest = some_manifest(settings={'scales': (1.0, np.float64(0.5)), 'flip': True})
    assert write_manifest(tmp_path / 'new', manifest) == tmp_path / 'new' / 'manifest.json'
    found = read_manifest(tmp_path / 'new')
    assert found == manifest
    assert found.settings == {'scales': [1.0, 0.5], 'flip': True}
    assert found.ids_count == 2
    assert found.config_sha256 == hashlib.sha256(b'model = 1').hexdigest()
    assert found.created.endswith('+00:00')
    assert found.code_version


def test_hash_of_ids_does_not_depend_on_order():
    assert hash_ids(['b', 'a']) == hash_ids(['a', 'b']) == hashlib.sha256(b'a\nb').hexdigest()
    assert hash_ids(['ab']) != hash_ids(['a', 'b'])


def test_hash_of_a_file(tmp_path):
    (tmp_path / 'x').write_bytes(b'123')
    assert hash_file(tmp_path / 'x') == hashlib.sha256(b'123').hexdigest()
    with pytest.raises(FileNotFoundError, match='nothing'):
        hash_file(tmp_path / 'nothing')


def test_manifest_hash_follows_the_content_only():
    manifest = some_manifest()
    assert manifest.sha256() == some_manifest(config_text='y', complete=False).sha256()
    assert manifest.sha256() != some_manifest(settings={}).sha256()


def test_check_accepts_what_fits():
    check_manifest(
        some_manifest(),
        stage='masks',
        classes=tuple(CLASSES),
        split='train',
        ids=['b', 'a'],
        settings={'refiners': [{'type': 'BackgroundThreshold', 'threshold': 0.3}]},
        inputs={'maps': '12'},
    )
    check_manifest(some_manifest())


@pytest.mark.parametrize(
    ('expected', 'message'),
    [
        ({'stage': 'maps'}, 'stage does not fit: found masks, expected maps'),
        ({'split': 'val'}, 'split does not fit: found train, expected val'),
        (
            {'classes': ['background', 'cat', 'cow']},
            "classes does not fit: found 'dog' as class 2, expected 'cow' as class 2",
        ),
        ({'classes': ['background', 'cat']}, r'classes .* found 3 .*, expected 2'),
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
    with pytest.raises(ManifestError, match=rf'^here: {message}'):
        check_manifest(some_manifest(), folder='here', **expected)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'is not JSON'),
        ('[]', "format 1, but got 'list'"),
        ('{"format": 2}', 'format 1, but got 2'),
        ('{"format": 1}', 'is not a manifest: .*missing'),
    ],
)
def test_unreadable_manifest_is_named(tmp_path, content, message):
    (tmp_path / 'manifest.json').write_text(content)
    with pytest.raises(ManifestError, match=message) as error:
        read_manifest(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_unknown_stage_and_unknown_fields(tmp_path):
    with pytest.raises(ManifestError, match=r"stage must be one of .* got 'mask'"):
        some_manifest(stage='mask')
    path = write_manifest(tmp_path, some_manifest())
    path.write_text(json.dumps({**json.loads(path.read_text()), 'added_later': 1}))
    assert read_manifest(tmp_path).split == 'train'


def test_missing_manifest(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'manifest\.json not found'):
        read_manifest(tmp_path)


def test_settings_must_be_plain():
    with pytest.raises(TypeError, match='plain values, but got set'):
        some_manifest(settings={'a': {1}})
