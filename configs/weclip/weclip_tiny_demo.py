# WeCLIP on the generated demo images, to try the commands: its small CLIP is random and sees nothing, unless
# load_from names the file of .dev/clip_demo.py.
_base_ = [
    '../_base_/models/weclip_vitb16.py',
    '../_base_/datasets/demo_cls.py',
    '../_base_/schedules/schedule_tiny_demo_seg.py',
]
pretrained = None
initial_weights = 'scratch'
model = dict(
    data_preprocessor=dict(size=(144, 144)),
    backbone=dict(
        img_size=(144, 144),
        patch_size=8,
        embed_dims=64,
        num_layers=4,
        num_heads=4,
        out_indices=[0, 1, 2],
        output_dims=24,
        init_cfg=None,
    ),
    head=dict(
        num_classes='auto',
        background_texts=['ground', 'sky'],
        text_encoder=dict(embed_dims=32, num_layers=2, num_heads=2, output_dims=24),
        init_cfg=None,
    ),
    decode_head=dict(in_channels=[64] * 3, in_index=[0, 1, 2], channels=64, num_classes='auto'),
    affinity_blocks=2,
    selected_blocks=2,
    affinity_from=200,
    par_iterations=10,
)
train_dataloader = dict(batch_size=4, sampler=dict(infinite=True))
optim_wrapper = dict(type='OptimWrapper')  # small matrices are slow in bfloat16
auto_scale_lr = dict(base_batch_size=4)
val_pipeline = [dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')]
test_pipeline = [dict(type='LoadImage'), dict(type='PackWSSSInputs')]
val_dataloader = dict(
    dataset=dict(ann_file='ImageSets/Segmentation/val.txt', labels=None, pipeline=val_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='MeanIoUMetric', iou_metrics=['mIoU'])]
test_evaluator = val_evaluator
