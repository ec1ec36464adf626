# Writes what irn_r50_coco14.py is trained on: labels of the pixels that class maps are sure about.
_base_ = ['./irn_r50_coco14.py']
mask_cfg = dict(_delete_=True, refiners=[dict(type='ConfidentLabels')])
