# WeCLIP, PASCAL VOC 2012, CLIP's ViT-B/16, from image labels in one training; tested on val.
_base_ = ['../_base_/weclip.py', '../_base_/datasets/voc12aug_cls.py']
model = dict(head=dict(sharper=dict(bird='bird avian', person='person with clothes,people,human')))
train_dataloader = dict(
    batch_size=4,
    sampler=dict(infinite=True),
    dataset=dict(pipeline={{_base_.weclip_train_pipeline}}),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='ImageSets/Segmentation/val.txt',
        labels=None,
        pipeline={{_base_.weclip_val_pipeline}},
    )
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='MeanIoUMetric', iou_metrics=['mIoU'])]
test_evaluator = val_evaluator
