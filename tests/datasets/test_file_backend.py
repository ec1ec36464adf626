"""Lists, labels, images and masks come through MMEngine's file backends, as from an object store."""

from __future__ import annotations

import contextlib
from typing import ClassVar

import numpy as np
import pytest
from mmengine.fileio import BaseStorageBackend, backends, io, register_backend
from mmseg.registry import DATASETS

from mmwsss.datasets.transforms.loading import load_rgb
from tests.tiny_models import demo_dataset


@pytest.fixture
def store(demo_root, tmp_path):
    """The demo data under ``mem://data``, in the memory of a backend; nothing of it on the disk."""
    files = {
        f'mem://data/{path.relative_to(demo_root).as_posix()}': path.read_bytes()
        for path in demo_root.rglob('*')
        if path.is_file()
    }

    class MemoryBackend(BaseStorageBackend):
        asked: ClassVar[list[str]] = []

        def get(self, filepath):
            self.asked.append(str(filepath))
            if str(filepath) not in files:
                raise FileNotFoundError(filepath)
            return files[str(filepath)]

        def get_text(self, filepath, encoding='utf-8'):
            return self.get(filepath).decode(encoding)

        def isfile(self, filepath):
            return str(filepath) in files

        def isdir(self, filepath):
            return any(name.startswith(f'{filepath}/') for name in files)

        def exists(self, filepath):
            return self.isfile(filepath) or self.isdir(filepath)

        def join_path(self, filepath, *filepaths):
            return '/'.join([str(filepath).rstrip('/'), *filepaths])

        def list_dir_or_file(
            self, dir_path, list_dir=True, list_file=True, suffix=None, recursive=False
        ):
            start = f'{dir_path}/'
            names = (name[len(start) :] for name in files if name.startswith(start))
            yield from (name for name in names if recursive or '/' not in name)

        def get_local_path(self, filepath):
            return local_copy(self.get(filepath), tmp_path / str(filepath).rsplit('/', 1)[1])

    register_backend('memory', MemoryBackend, prefixes='mem')
    yield MemoryBackend
    for key, instance in list(io.backend_instances.items()):
        if isinstance(instance, MemoryBackend):
            del io.backend_instances[key]
    for registry in (backends.registry_utils.backends, backends.registry_utils.prefix_to_backends):
        for key in ('memory', 'mem'):
            registry.pop(key, None)


@contextlib.contextmanager
def local_copy(content, path):
    path.write_bytes(content)
    yield str(path)
    path.unlink()


@pytest.mark.parametrize('masks', [False, True])
def test_items_are_those_of_the_disk(store, demo_root, masks):
    remote = DATASETS.build(demo_dataset('mem://data', masks=masks))
    local = DATASETS.build(demo_dataset(demo_root, masks=masks))
    assert len(remote) == len(local) == 8
    for one, two in zip(remote, local):
        assert (one['inputs'] == two['inputs']).all()
        one, two = one['data_samples'], two['data_samples']
        assert (one.gt_label == two.gt_label).all()
        if masks:
            assert (one.gt_sem_seg.data == two.gt_sem_seg.data).all()
    assert sum('JPEGImages' in name for name in store.asked) == 8


def test_refiners_read_images_through_the_backend(store, demo_root):
    name = next(path.stem for path in (demo_root / 'JPEGImages').iterdir())
    np.testing.assert_array_equal(
        load_rgb(f'mem://data/JPEGImages/{name}.jpg'),
        load_rgb(demo_root / 'JPEGImages' / f'{name}.jpg'),
    )
