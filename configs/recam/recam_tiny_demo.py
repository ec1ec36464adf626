# ReCAM on the generated demo images. It goes on from the weights of configs/cam/cam_tiny_demo.py.
_base_ = '../cam/cam_tiny_demo.py'
load_from = 'work_dirs/cam_tiny_demo/iter_600.pth'
model = dict(head=dict(type='ReCAMHead'))
optim_wrapper = dict(
    optimizer=dict(lr=3e-4),
    paramwise_cfg=dict(custom_keys={'head.reclassifier': dict(lr_mult=10.0)}),
)
