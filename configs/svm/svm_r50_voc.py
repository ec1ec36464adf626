# Per-image classifiers that start from SIPE's maps of VOC 2012 train_aug. The features are those of the same
# SIPE network at stride 16 (stage 3; the 2048 channels of stage 4 take 1.5 GB a process). Not measured.
#   python tools/make_masks.py configs/svm/svm_r50_voc.py --maps work_dirs/sipe/maps --out work_dirs/svm/masks
_base_ = '../sipe/sipe_r50_voc.py'
mask_cfg = dict(
    _delete_=True,
    refiners=[
        dict(
            type='SVMExpansion',
            config='configs/sipe/sipe_r50_voc.py',
            checkpoint='work_dirs/sipe_r50_voc/epoch_5.pth',
            layers=('layer3',),
            top_fraction=0.6,
            crf_agreement=True,
            method='nystroem',
        )
    ],
)
