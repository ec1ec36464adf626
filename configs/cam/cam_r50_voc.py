# CAM, PASCAL VOC 2012, ResNet-50.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(rectify='views'))
# CAM needs a background threshold; 0.15 is the one that the released IRNet code evaluates its seeds with.
# Choose yours without the masks of the images that you label, or say that you used them.
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
