# Writes what irn_mobilenetv2_vocmini.py is trained on: labels of the pixels that class maps are sure about.
_base_ = ['./irn_mobilenetv2_vocmini.py']
mask_cfg = dict(_delete_=True, refiners=[dict(type='ConfidentLabels')])
