# A small SIPE from scratch, for a first look at your own data on a CPU: it takes minutes and learns little.
_base_ = '../sipe/sipe_tiny_demo.py'

data_root = 'data/custom'
image_dir = 'images'
images = dict(data_root=data_root, data_prefix=dict(img_path=image_dir), ann_file='train.txt')
model = dict(head=dict(num_classes='auto'))
train_dataloader = dict(dataset=images)
map_dataset = images
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(_delete_=True, img_path=image_dir),
        data_root=data_root,
        ann_file='train.txt',
        pipeline={{_base_.map_pipeline}},
    )
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='MultiLabelMetric')]
test_evaluator = val_evaluator
