# DeepLabV2 as in the reference reproduction: multi-scale inputs with a loss on each, 5 x 2 images per
# step by accumulation. From ImageNet weights.
_base_ = './deeplabv2_r101_voc_pseudo.py'

max_iters = 40_000  # each step of the optimizer takes two iterations
model = dict(type='MSCEncoderDecoder', scales=(0.5, 0.75))
train_dataloader = dict(batch_size=5)
optim_wrapper = dict(accumulative_counts=2)
train_cfg = dict(max_iters=max_iters, val_interval=4000)
default_hooks = dict(checkpoint=dict(interval=4000))
