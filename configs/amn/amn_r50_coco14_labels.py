# Writes what amn_r50_coco14.py is trained on: labels of the pixels that CAM's maps are sure about.
_base_ = './amn_r50_coco14.py'
mask_cfg = dict(
    _delete_=True,
    refiners=[dict(type='ConfidentLabels', fg_threshold=0.30, bg_threshold=0.05)],
)
