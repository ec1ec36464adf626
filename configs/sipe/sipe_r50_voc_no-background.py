# Table 5: no background prototype, so masks need a threshold.
_base_ = ['./sipe_r50_voc.py']
model = dict(head=dict(background_modeling=False))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.5)])
