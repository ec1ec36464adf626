# Per-image classifiers that start from SIPE's maps of the 149 training images of voc_mini. The features are
# those of the same SIPE network at its last stage. Of what was tried this did best
# on the masks of the 21 validation images, with learning only where the CRF agrees.
#   python tools/make_masks.py configs/svm/svm_mobilenetv2_vocmini.py --maps work_dirs/sipe/maps \
#       --out work_dirs/svm/masks --cfg-options mask_cfg.refiners.0.checkpoint=FILE
_base_ = '../sipe/sipe_mobilenetv2_vocmini.py'
mask_cfg = dict(
    _delete_=True,
    refiners=[
        dict(
            type='SVMExpansion',
            config='configs/sipe/sipe_mobilenetv2_vocmini.py',
            checkpoint='work_dirs/sipe_mobilenetv2_vocmini/epoch_12.pth',
            layers=('layer7',),
            top_fraction=0.6,
            crf_agreement=True,
            n_samples=1000,
            method='nystroem',
        )
    ],
)
