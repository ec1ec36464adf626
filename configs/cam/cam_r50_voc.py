_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
# CAM needs a background threshold. 0.15 is IRNet's default for its seeds' evaluation; choose yours without the
# masks of the images you label, or say that you did not.
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
