# SIPE's maps, masks by classifiers fitted to each image, on generated images, which the first stage makes.
_base_ = '../../../configs/_base_/pipelines/svm.py'
data_root = 'data/demo'
configs = dict(
    localizer='configs/sipe/sipe_tiny_demo.py',
    svm='tests/configs/tiny/svm.py',
    segmenter='configs/deeplabv2/deeplabv2_tiny_demo_pseudo.py',
)
stages = dict(
    data=dict(
        run='tool',
        tool='dataset_converters/make_demo_data.py',
        args=['--out', '{data_root}'],
        files=['{data_root}/classes.txt'],
    ),
    localizer=dict(after='data'),
)
