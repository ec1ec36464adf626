# custom.py with small networks from scratch: minutes on a CPU, to see that the data are in order.
_base_ = './custom.py'
configs = dict(
    localizer='configs/custom/sipe_tiny_custom.py',
    segmenter='configs/custom/deeplabv2_tiny_custom_pseudo.py',
)
