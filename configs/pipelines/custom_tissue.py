# custom_tiny.py for images in which every pixel has one of the classes: no background, masks with ids from 0.
_base_ = './custom_tiny.py'
options = dict(
    localizer={'background': False, 'mask_cfg.refiners': []},  # the largest map decides
    segmenter=dict(background=False),
)
stages = dict(
    data=dict(
        args=[
            '{data_root}/images',
            '--labels',
            '{data_root}/names.csv',
            '--out',
            '{data_root}',
            '--gt',
            '{data_root}/masks',
            '--val-fraction',
            '0.1',
            '--no-background',
        ],
    ),
    maps_score=None,  # maps are scored over background thresholds
)
