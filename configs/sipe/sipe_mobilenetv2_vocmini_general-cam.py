# Table 4, the general CAM of a network trained with IPE and GSC; same weights as sipe_mobilenetv2_vocmini.py.
_base_ = ['./sipe_mobilenetv2_vocmini.py']
model = dict(head=dict(test_map='cam'))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
