# IRNet as in its paper, for maps without background, such as CAM's: the background is a constant.
_base_ = ['./irn_r50_voc.py']
mask_cfg = dict(
    refiners=[
        dict(
            type='RandomWalk',
            config='configs/irn/irn_r50_voc.py',
            checkpoint='work_dirs/irn_r50_voc/epoch_3.pth',
            background_threshold=0.25,
        )
    ]
)
