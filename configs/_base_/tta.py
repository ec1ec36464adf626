# Multi-scale, mirrored testing by `tools/test.py --tta`: the softmax scores of 5 scales x 2 mirrors are
# averaged. The mask is loaded last, so it keeps its size.
tta_model = dict(type='ScoreTTAModel')  # mmseg's SegTTAModel that keeps the averaged scores
tta_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale_factor=scale, keep_ratio=True)
                for scale in (0.5, 0.75, 1.0, 1.25, 1.5)
            ],
            [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in (0.0, 1.0)],
            [dict(type='LoadMask')],
            [dict(type='PackWSSSInputs')],
        ],
    ),
]
