# Per-image classifiers that start from SIPE's maps of the generated demo images.
_base_ = '../../../configs/sipe/sipe_tiny_demo.py'
mask_cfg = dict(
    _delete_=True,
    refiners=[
        dict(
            type='SVMExpansion',
            config='configs/sipe/sipe_tiny_demo.py',
            checkpoint='work_dirs/sipe_tiny_demo/iter_600.pth',
            layers=('layer4',),
            n_samples=500,
            method='nystroem',
        )
    ],
)
