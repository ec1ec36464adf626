# Table 5, thresholded instead of estimated masks; same weights as the parent, foreground channels only.
_base_ = ['./sipe_r50_voc.py']
model = dict(head=dict(estimated_background=False))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.5)])
