# Table IV: prototypes of blocks 3 and 4 instead of 2 and 4.
_base_ = ['./rpnet_r50_voc.py']
model = dict(head=dict(block_indices=(2, 3), block_channels=(1024, 2048)))
