# Masks by classifiers fitted to each image, on features of the localizer. A child names their config, too.
_base_ = './refined.py'
configs = dict(svm=None)
stages = dict(
    masks=dict(
        config='svm',
        options={
            'mask_cfg.refiners.0.config': '{localizer:config}',
            'mask_cfg.refiners.0.checkpoint': '{localizer}',
        },
    )
)
