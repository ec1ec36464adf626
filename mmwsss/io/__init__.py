"""Class maps, masks and records on disk: atomic, checked, resumable."""

from mmwsss.io.atomic import atomic_path, remove_stale_temporaries, write_json
from mmwsss.io.class_maps import ClassMaps, is_class_map_file, load_class_maps, save_class_maps
from mmwsss.io.damage import parsing
from mmwsss.io.mask_io import (
    IGNORE_INDEX,
    check_mask,
    foreground_ids,
    is_mask_file,
    load_mask,
    save_mask,
    voc_palette,
)
from mmwsss.io.names import read_id_list, require_file, require_folder, safe_join, shard
from mmwsss.io.pool import BatchReport, WorkerPool, process_items
from mmwsss.io.record import (
    RECORD_NAME,
    Protocol,
    Record,
    Recorder,
    RecordError,
    Score,
    check_record,
    code_version,
    find_record,
    hash_file,
    hash_ids,
    hash_text,
    make_record,
    read_record,
    write_record,
)

__all__ = [
    'IGNORE_INDEX',
    'RECORD_NAME',
    'BatchReport',
    'ClassMaps',
    'Protocol',
    'Record',
    'RecordError',
    'Recorder',
    'Score',
    'WorkerPool',
    'atomic_path',
    'check_mask',
    'check_record',
    'code_version',
    'find_record',
    'foreground_ids',
    'hash_file',
    'hash_ids',
    'hash_text',
    'is_class_map_file',
    'is_mask_file',
    'load_class_maps',
    'load_mask',
    'make_record',
    'parsing',
    'process_items',
    'read_id_list',
    'read_record',
    'remove_stale_temporaries',
    'require_file',
    'require_folder',
    'safe_join',
    'save_class_maps',
    'save_mask',
    'shard',
    'voc_palette',
    'write_json',
    'write_record',
]
