# Pixel-adaptive refinement of SIPE's maps on the generated demo images.
_base_ = '../sipe/sipe_tiny_demo.py'
mask_cfg = dict(_delete_=True, refiners=[dict(type='PixelAdaptiveRefinement')])
