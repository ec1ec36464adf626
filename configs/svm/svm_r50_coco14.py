# Per-image classifiers that start from SIPE's maps of COCO 2014; as svm_r50_voc.py. Not measured.
_base_ = '../sipe/sipe_r50_coco14.py'
mask_cfg = dict(
    _delete_=True,
    refiners=[
        dict(
            type='SVMExpansion',
            config='configs/sipe/sipe_r50_coco14.py',
            checkpoint='work_dirs/sipe_r50_coco14/epoch_5.pth',
            layers=('layer3',),
            top_fraction=0.6,
            crf_agreement=True,
            method='nystroem',
        )
    ],
)
