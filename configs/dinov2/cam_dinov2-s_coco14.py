# CAM, COCO 2014, 80 classes, on DINOv2's ViT-S/14; else as cam_dinov2-s_voc.py.
_base_ = [
    '../_base_/models/cam_dinov2-s.py',
    '../_base_/datasets/coco14_cls.py',
    '../_base_/schedules/schedule_wsss_adamw_5e.py',
    '../_base_/default_runtime.py',
]
num_classes = 80
# Maps at a quarter of the image size, as cam_r50_coco14.py's.
model = dict(head=dict(num_classes=num_classes), test_cfg=dict(stride=4))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
