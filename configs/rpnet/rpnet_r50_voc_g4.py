# Table VII: four images a group; as many images an iteration.
_base_ = ['./rpnet_r50_voc.py']
train_dataloader = dict(batch_size=4, dataset=dict(group_size=4))
auto_scale_lr = dict(base_batch_size=4)
