# Table VII: one image, which is its own partner; as many images an iteration.
_base_ = ['./rpnet_mobilenetv2_vocmini.py']
train_dataloader = dict(batch_size=16, dataset=dict(group_size=1))
