# No pixel is dropped from a mask.
_base_ = ['./rpnet_mobilenetv2_vocmini.py']
model = dict(head=dict(drop_prob=0.0))
