# Table VII: one image, which is its own partner; as many images an iteration.
_base_ = ['./rpnet_mobilenetv2_vocmini.py']
auto_scale_lr = dict(base_batch_size=16)
train_dataloader = dict(batch_size=16, dataset=dict(group_size=1))
