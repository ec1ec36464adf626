# Pixel-adaptive refinement of SIPE's maps, COCO 2014, 80 classes.
_base_ = '../sipe/sipe_r50_coco14.py'
mask_cfg = dict(_delete_=True, refiners=[dict(type='PixelAdaptiveRefinement')])
