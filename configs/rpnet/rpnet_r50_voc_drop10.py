# Table V: each pixel of a mask is dropped with a probability of 0.1 instead of 0.5.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(drop_prob=0.1))
