# Writes what irn_r50_voc.py is trained on: labels of the pixels that class maps are sure about.
_base_ = ['./irn_r50_voc.py']
mask_cfg = dict(_delete_=True, refiners=[dict(type='ConfidentLabels')])
