# The segmenter that goes with sipe_tiny_custom.py.
_base_ = '../deeplabv2/deeplabv2_tiny_demo_pseudo.py'

data_root = 'data/custom'
image_dir = 'images'
model = dict(decode_head=dict(num_classes='auto'))
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(_delete_=True, img_path=image_dir),
        ann_file='train.txt',
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(img_path=image_dir, seg_map_path='masks'),
        ann_file='val.txt',
    )
)
test_dataloader = val_dataloader
