# Table VII: four images a group; as many images an iteration.
_base_ = ['./rpnet_mobilenetv2_vocmini.py']
auto_scale_lr = dict(base_batch_size=4)  # groups
train_dataloader = dict(batch_size=4, dataset=dict(group_size=4))
