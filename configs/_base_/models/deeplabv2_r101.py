# DeepLabV2 on ResNet-101, output stride 8 (Chen et al., TPAMI 2017).
#
# `contract_dilation`: the first block of a dilated stage keeps the dilation of the stage before it.
# In torchvision's ResNet (style 'pytorch') the stride sits in the 3x3 convolution, whose input is still
# at the finer resolution, so this is what turns the strided network into the dilated one without changing
# what its filters see. The paper's Caffe network has the stride in the 1x1 convolution before; there
# all blocks of a stage share the dilation, and there `style='caffe', contract_dilation=False` is right.
#
# Batch normalisation is frozen, statistics and parameters, as in the paper.
pretrained = 'https://download.pytorch.org/models/resnet101-63fe2227.pth'
initial_weights = 'imagenet'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(321, 321),
    ),
    backbone=dict(
        type='ResNet',
        depth=101,
        num_stages=4,
        out_indices=(3,),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        style='pytorch',
        contract_dilation=True,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    decode_head=dict(
        type='DeepLabV2Head',
        in_channels=2048,
        in_index=0,
        dilations=(6, 12, 18, 24),
        align_corners=False,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
    test_cfg=dict(mode='whole'),
)
