# The masks of irn_mobilenetv2_vocmini.py, cleaned by a dense CRF.
_base_ = ['../irn_mobilenetv2_vocmini.py']
mask_cfg = dict(
    refiners=[
        dict(
            type='RandomWalk',
            config='configs/irn/irn_mobilenetv2_vocmini.py',
            checkpoint='work_dirs/irn_mobilenetv2_vocmini/epoch_16.pth',
            exp_times=6,
        ),
        dict(type='DenseCRF', from_labels=True),
    ]
)
