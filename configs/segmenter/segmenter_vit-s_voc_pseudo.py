# Segmenter on ViT-S/16 on pseudo masks of PASCAL VOC 2012 train_aug, from ImageNet weights.
_base_ = [
    '../_base_/models/segmenter_vit-s.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_sgd_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
model = dict(decode_head=dict(num_classes=21))
# As mmseg trains it.
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.0))
default_hooks = dict(checkpoint=dict(interval=4000))
