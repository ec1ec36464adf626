# ReCAM, PASCAL VOC 2012, ResNet-50. It goes on from the weights of configs/cam/cam_r50_voc.py.
_base_ = '../cam/cam_r50_voc.py'
load_from = 'work_dirs/cam_r50_voc/epoch_5.pth'
model = dict(backbone=dict(init_cfg=None), head=dict(type='ReCAMHead'))
# 5e-4 for the new layer, 5e-5 for the rest, 4 epochs.
optim_wrapper = dict(
    optimizer=dict(lr=5e-5),
    paramwise_cfg=dict(_delete_=True, custom_keys={'head.reclassifier': dict(lr_mult=10.0)}),
)
max_epochs = 4
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
