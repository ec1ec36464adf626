# The segmenter begins with its localizer's backbone, which learned the image labels, instead of ImageNet's.
options = dict(
    segmenter={
        'initial_weights': 'localizer',
        'model.backbone.init_cfg.checkpoint': '{localizer}',
        'model.backbone.init_cfg.prefix': 'backbone',
    }
)
