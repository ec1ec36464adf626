# Per-image classifiers that start from SIPE's maps on the part of VOC; features: the last expansion of the
# same network (1,248 channels at stride 16).
_base_ = '../sipe/sipe_lite2_voc12part.py'
mask_cfg = dict(
    _delete_=True,
    refiners=[
        dict(type='BackgroundThreshold', threshold='chosen', replace=True),
        dict(
            type='SVMExpansion',
            config='configs/sipe/sipe_lite2_voc12part.py',
            checkpoint='work_dirs/sipe_lite2_voc12part/epoch_2.pth',
            layers=('blocks.6.0.act1',),
            top_fraction=0.6,
            crf_agreement=True,
            method='nystroem',
        ),
    ],
)
