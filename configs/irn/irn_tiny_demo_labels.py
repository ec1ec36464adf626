# Writes what irn_tiny_demo.py is trained on: labels of the pixels that class maps are sure about.
_base_ = ['./irn_tiny_demo.py']
mask_cfg = dict(_delete_=True, refiners=[dict(type='ConfidentLabels')])
