# The paper's text where the released code differs: prototypes compared in one common space, the consistency
# of one scale, a classification loss on both branches.
_base_ = '../rpnet_r50_voc.py'
model = dict(
    head=dict(matching='classified', consistency_scales=(1.0,), loss_weights=dict(cls_enhanced=1.0))
)
