# The layout of custom_cls.py for a segmenter. Testing needs val.txt and true masks in masks/.
_base_ = './segmenter.py'
data_root = 'data/custom'
train_dataloader = dict(
    dataset=dict(
        type='WSSSDataset',
        classes='classes.txt',
        data_root=data_root,
        data_prefix=dict(img_path='images'),
        ann_file='train.txt',
    )
)
val_dataloader = dict(
    dataset=dict(
        type='WSSSDataset',
        classes='classes.txt',
        data_root=data_root,
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        ann_file='val.txt',
    )
)
test_dataloader = val_dataloader
