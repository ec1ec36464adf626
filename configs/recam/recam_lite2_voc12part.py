# ReCAM on the part of VOC, EfficientNet-Lite2. It goes on from the weights of
# configs/cam/cam_lite2_voc12part.py, at a tenth of its rate; the new layer has the rate that CAM's had.
_base_ = '../cam/cam_lite2_voc12part.py'
load_from = 'work_dirs/cam_lite2_voc12part/epoch_2.pth'
model = dict(backbone=dict(init_cfg=None), head=dict(type='ReCAMHead', product='positive'))
optim_wrapper = dict(
    optimizer=dict(lr=2e-5),
    paramwise_cfg=dict(_delete_=True, custom_keys={'head.reclassifier': dict(lr_mult=100.0)}),
)
