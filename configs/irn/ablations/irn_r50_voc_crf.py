# The masks of irn_r50_voc.py, cleaned by a dense CRF.
_base_ = ['../irn_r50_voc.py']
mask_cfg = dict(
    refiners=[
        dict(
            type='RandomWalk',
            config='configs/irn/irn_r50_voc.py',
            checkpoint='work_dirs/irn_r50_voc/epoch_3.pth',
        ),
        dict(type='DenseCRF', from_labels=True),
    ]
)
