"""Configs small enough to train in a test, as plain dicts."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

CROP = (64, 64)


def tiny_resnet(**kwargs: Any) -> dict:
    """A ResNet-18 of an eighth of the width, with all four stages."""
    cfg = dict(
        type='ResNet',
        depth=18,
        stem_channels=8,
        base_channels=8,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 1, 1),
        norm_cfg=dict(type='BN', requires_grad=True),
    )
    return {**cfg, **kwargs}


def tiny_irnet(**kwargs: Any) -> dict:
    """An IRNet with few channels on the tiny ResNet."""
    cfg = dict(
        type='IRNet',
        backbone=tiny_resnet(strides=(1, 2, 2, 1)),
        in_channels=(8, 8, 16, 32, 64),
        edge=dict(channels=4, groups=2),
        displacement=dict(channels=(4,) * 5, groups=(2,) * 5, join_channels=4, join_groups=2),
        radius=3,
        data_preprocessor=dict(
            type='WSSSDataPreProcessor',
            mean=[100.0] * 3,
            std=[50.0] * 3,
            bgr_to_rgb=True,
            size=CROP,
            seg_pad_val=255,
        ),
    )
    return {**cfg, **kwargs}


def demo_dataset(
    root: str | Path, split: str = 'train', masks: bool = False, **kwargs: Any
) -> dict:
    """A WSSSDataset on the generated data."""
    prefix = dict(img_path='JPEGImages')
    if masks:
        prefix['seg_map_path'] = 'SegmentationClass'
    cfg = dict(
        type='WSSSDataset',
        classes='classes.txt',
        data_root=str(root),
        data_prefix=prefix,
        ann_file=f'ImageSets/Segmentation/{split}.txt',
        labels=dict(source='csv', path='labels.csv'),
        pipeline=[
            dict(type='LoadImage'),
            *([dict(type='LoadMask')] if masks else []),
            dict(type='PackWSSSInputs'),
        ],
    )
    return {**cfg, **kwargs}


def localizer_config(root: str | Path, head: dict | None = None, **kwargs: Any) -> dict:
    """A complete training config of a localizer: two epochs of two iterations.

    Runners that begin within the same second share a log unless their names differ.
    """
    train_pipeline = [
        dict(type='LoadImage'),
        dict(type='RandomResizeLongSide', min_size=40, max_size=72),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PaddedRandomCrop', crop_size=CROP),
        dict(type='PackWSSSInputs'),
    ]
    val = demo_dataset(root, masks=True, test_mode=True)
    cfg = dict(
        default_scope='mmseg',
        model=dict(
            type='ImageLevelClassifier',
            data_preprocessor=dict(
                type='WSSSDataPreProcessor',
                mean=[127.5] * 3,
                std=[64.0] * 3,
                bgr_to_rgb=True,
                size=CROP,
            ),
            backbone=tiny_resnet(),
            head=head or dict(type='CAMHead', num_classes=5, in_channels=64, dropout=0.2),
            test_cfg=dict(scales=(1.0, 0.5), flip=True),
        ),
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='SeededSampler', shuffle=True),
            dataset=demo_dataset(root, pipeline=train_pipeline),
        ),
        val_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=val,
        ),
        val_evaluator=[
            dict(type='MultiLabelMetric'),
            dict(type='MapIoUMetric', thresholds=[0.1, 0.3, 0.5]),
        ],
        map_dataset=demo_dataset(root, test_mode=True, check_files='lazy'),
        mask_cfg=dict(refiners=[dict(type='BackgroundThreshold', threshold=0.3)]),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9)),
        param_scheduler=[
            dict(type='PolyLR', power=0.9, end=2, by_epoch=True, convert_to_iter_based=True)
        ],
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=2),
        val_cfg=dict(type='ValLoop'),
        randomness=dict(seed=0),
        custom_hooks=[dict(type='IterationSeedHook')],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            logger=dict(type='LoggerHook', interval=1),
        ),
        log_level='WARNING',
        experiment_name=uuid.uuid4().hex,
    )
    return {**cfg, **kwargs}


def segmenter_config(root: str | Path, **kwargs: Any) -> dict:
    """A segmenter of mmseg's own parts alone, as a config of mmseg would have it, on the generated data."""
    test_pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ]
    cfg = dict(
        default_scope='mmseg',
        model=dict(
            type='EncoderDecoder',
            data_preprocessor=dict(
                type='SegDataPreProcessor',
                mean=[127.5] * 3,
                std=[64.0] * 3,
                bgr_to_rgb=True,
                size=CROP,
                seg_pad_val=255,
            ),
            backbone=tiny_resnet(),
            decode_head=dict(
                type='FCNHead',
                in_channels=64,
                in_index=3,
                channels=8,
                num_convs=1,
                num_classes=6,
                norm_cfg=dict(type='SyncBN'),
                align_corners=False,
            ),
            test_cfg=dict(mode='whole'),
        ),
        test_pipeline=test_pipeline,
        test_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=demo_dataset(root, 'val', masks=True, test_mode=True),
        ),
        test_evaluator=dict(type='IoUMetric', iou_metrics=['mIoU']),
        test_cfg=dict(type='TestLoop'),
        log_level='WARNING',
        experiment_name=uuid.uuid4().hex,
    )
    return {**cfg, **kwargs}
