# No pixel is dropped from a mask.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(drop_prob=0.0))
