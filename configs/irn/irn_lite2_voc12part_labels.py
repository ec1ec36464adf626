# Writes what irn_lite2_voc12part.py is trained on: labels of the pixels that class maps are sure about.
_base_ = './irn_lite2_voc12part.py'
mask_cfg = dict(_delete_=True, refiners=[dict(type='ConfidentLabels')])
