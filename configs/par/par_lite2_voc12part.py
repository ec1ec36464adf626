# Pixel-adaptive refinement of SIPE's maps on the part of VOC, EfficientNet-Lite2.
_base_ = '../sipe/sipe_lite2_voc12part.py'
mask_cfg = dict(_delete_=True, refiners=[dict(type='PixelAdaptiveRefinement')])
