# SIPE's maps, spread by IRNet on SIPE's backbone, on generated images, which the first stage makes.
_base_ = '../_base_/pipelines/irn.py'
data_root = 'data/demo'
configs = dict(
    localizer='configs/sipe/sipe_tiny_demo.py',
    irn='configs/irn/irn_tiny_demo.py',
    irn_labels='configs/irn/irn_tiny_demo_labels.py',
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
    irn=dict(options=dict(pretrained='{localizer}')),
)
