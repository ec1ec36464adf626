# Writes what IRNet is trained on, from maps without background: two constants take its place.
_base_ = ['./irn_r50_voc.py']
mask_cfg = dict(
    _delete_=True,
    refiners=[dict(type='ConfidentLabels', fg_threshold=0.30, bg_threshold=0.05)],
)
