# The released code's head: prototypes within a block, the consistency target of four scales, no
# classification loss on the enhanced branch. Optimiser and budget are those of the main config.
_base_ = '../rpnet_mobilenetv2_vocmini.py'
model = dict(
    head=dict(
        detach=False,
        matching='same_block',
        confidence_peak='channel',
        confidence_threshold=0.3,
        projection_peak='channel',
        consistency_scales=(1.0, 0.5, 1.5, 2.0),
        loss_weights=dict(cls_enhanced=0.0),
    )
)
