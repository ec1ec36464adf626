# The demo images of tools/dataset_converters/make_demo_data.py for a segmenter.
_base_ = './segmenter.py'
data_root = 'data/demo'
crop_size = (128, 128)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    # 0.5 .. 1.5 of the images' largest long side.
    dict(type='RandomResize', scale=(160, 160), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
images = dict(
    type='WSSSDataset',
    classes='classes.txt',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(images, ann_file='ImageSets/Segmentation/train.txt', pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=1, dataset=dict(images, ann_file='ImageSets/Segmentation/val.txt')
)
test_dataloader = val_dataloader
