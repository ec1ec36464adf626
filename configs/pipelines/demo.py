# What `make demo` runs: SIPE and DeepLabV2 on generated images, beside CAM of the same network, with how
# much of the objects' parts and bodies the masks cover and a picture.
_base_ = './cam_demo.py'
configs = dict(localizer='configs/sipe/sipe_tiny_demo.py')
stages = dict(
    masks_coverage=dict(
        run='tool',
        tool='../examples/demo_data/part_coverage.py',
        args=['{masks}', '--data', '{data_root}', '--out', '{work}'],
    ),
    cam=dict(
        run='maps',
        config='localizer',
        checkpoint='{localizer}',
        options={'model.head.test_map': 'cam', 'model.head.estimated_background': False},
    ),
    cam_score=dict(run='score', config='localizer', maps='{cam}'),
    cam_coverage=dict(
        run='tool',
        tool='../examples/demo_data/part_coverage.py',
        args=['{cam}', '--best-of', '{cam_score}', '--data', '{data_root}', '--out', '{work}'],
    ),
    picture=dict(
        run='tool',
        tool='../examples/demo_data/picture.py',
        args=[
            '{localizer:config}',
            '{localizer}',
            '--data',
            '{data_root}',
            '--predictions',
            '{segmenter_score}/predictions',
            '--out',
            '{work}/panel.png',
        ],
    ),
)
