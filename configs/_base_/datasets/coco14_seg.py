# COCO 2014 for a segmenter: 82,081 training images, tested on the 40,137 val images that carry labels;
# masks and lists are made by tools/dataset_converters/coco14.py.
_base_ = './segmenter.py'
data_root = 'data/coco2014'
train_dataloader = dict(
    dataset=dict(
        type='COCO14WSSSDataset',
        data_root=data_root,
        data_prefix=dict(img_path='train2014', seg_map_path='masks/train2014'),
        ann_file='train.txt',
    )
)
val_dataloader = dict(
    dataset=dict(
        type='COCO14WSSSDataset',
        data_root=data_root,
        data_prefix=dict(img_path='val2014', seg_map_path='masks/val2014'),
        ann_file='val.txt',
    )
)
test_dataloader = val_dataloader
