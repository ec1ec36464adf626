# DeepLab-LargeFOV on ResNet-50 (RPNet's segmenter), from ImageNet weights. The whole head is new, so all
# of it has the raised learning rates.
_base_ = './deeplabv2_r101_voc_pseudo.py'

pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(
    backbone=dict(depth=50, init_cfg=dict(checkpoint=pretrained)),
    decode_head=dict(
        _delete_=True,
        type='LargeFOVHead',
        in_channels=2048,
        in_index=0,
        num_classes=21,
        hidden_channels=1024,
        channels=1024,
        dilation=12,
        dropout_ratio=0.5,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'decode_head.fc6.bias': dict(lr_mult=20.0, decay_mult=0.0),
            'decode_head.fc7.bias': dict(lr_mult=20.0, decay_mult=0.0),
            'decode_head.conv_seg.bias': dict(lr_mult=20.0, decay_mult=0.0),
        }
    )
)
