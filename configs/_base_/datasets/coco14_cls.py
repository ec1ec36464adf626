# COCO 2014, the 82,081 training images that carry labels; masks, labels and lists are made by
# tools/dataset_converters/coco14.py.
_base_ = './localizer.py'
data_root = 'data/coco2014'
images = dict(
    type='COCO14WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='train2014'),
    ann_file='train.txt',
    labels=dict(source='json', path='labels_train.json'),
)
train_dataloader = dict(dataset=images)
map_dataset = images
val_dataloader = dict(
    dataset=dict(
        images,
        data_prefix=dict(img_path='train2014', seg_map_path='masks/train2014'),
        indices=2000,  # the first ones
    )
)
test_dataloader = val_dataloader
