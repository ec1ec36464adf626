# The layout of custom_cls.py for a segmenter. Testing needs val.txt and true masks in masks/.
_base_ = './segmenter.py'
data_root = 'data/custom'
image_dir = 'images'  # in data_root, or anywhere: image_dir=/photos, which is only read
background = True  # False: every pixel has a class, as in tissue, and ids of masks begin at 0
train_dataloader = dict(
    dataset=dict(
        type='WSSSDataset',
        classes='classes.txt',
        background=background,
        data_root=data_root,
        data_prefix=dict(img_path=image_dir),
        ann_file='train.txt',
    )
)
val_dataloader = dict(
    dataset=dict(
        type='WSSSDataset',
        classes='classes.txt',
        background=background,
        data_root=data_root,
        data_prefix=dict(img_path=image_dir, seg_map_path='masks'),
        ann_file='val.txt',
    )
)
test_dataloader = val_dataloader
