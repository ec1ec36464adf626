# From image labels to a scored segmenter. A child names the two configs; {name} stands for what the stage
# of that name leaves: a training's last checkpoint, else a folder.
configs = dict(localizer=None, segmenter=None)
stages = dict(
    localizer=dict(run='train', config='localizer'),
    maps=dict(run='maps', config='localizer', checkpoint='{localizer}'),
    maps_score=dict(run='score', config='localizer', maps='{maps}'),
    masks=dict(run='masks', config='localizer', maps='{maps}'),
    masks_score=dict(run='score', config='localizer', masks='{masks}'),
    segmenter=dict(run='train', config='segmenter', options=dict(pseudo_mask_dir='{masks}')),
    segmenter_score=dict(run='test', config='segmenter', checkpoint='{segmenter}'),
)
