# custom_tiny.py for images in which every pixel has one of the classes: no background, masks with ids from 0.
_base_ = './custom_tiny.py'
options = dict(
    localizer={'background': False, 'mask_cfg.refiners': []},  # the largest map decides
    segmenter=dict(background=False),
)
stages = dict(
    data=dict(args=[*_base_.stages.data.args, '--no-background']),
    maps_score=None,  # maps are scored over background thresholds
)
