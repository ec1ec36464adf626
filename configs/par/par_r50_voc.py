# Pixel-adaptive refinement of SIPE's maps, PASCAL VOC 2012.
_base_ = '../sipe/sipe_r50_voc.py'
mask_cfg = dict(_delete_=True, refiners=[dict(type='PixelAdaptiveRefinement')])
