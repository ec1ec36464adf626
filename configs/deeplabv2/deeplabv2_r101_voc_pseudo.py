# DeepLabV2 on pseudo masks of PASCAL VOC 2012 train_aug, from ImageNet weights.
#   python tools/train.py configs/deeplabv2/deeplabv2_r101_voc_pseudo.py \
#       --cfg-options pseudo_mask_dir=work_dirs/masks
_base_ = [
    '../_base_/models/deeplabv2_r101.py',
    '../_base_/datasets/voc12aug_seg.py',
    '../_base_/schedules/schedule_deeplabv2_20k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
model = dict(decode_head=dict(num_classes=21))
