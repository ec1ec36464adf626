# Table 4, the general CAM of a network trained with IPE and GSC; same weights as sipe_r50_voc.py.
_base_ = ['./sipe_r50_voc.py']
model = dict(head=dict(test_map='cam'))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
