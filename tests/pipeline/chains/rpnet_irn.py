# RPNet's maps of generated images, spread by IRNet with the thresholds of its paper.
_base_ = [
    '../../../configs/pipelines/sipe_irn_demo.py',
    '../../../configs/_base_/pipelines/irn_thresholds.py',
]
configs = dict(localizer='configs/rpnet/rpnet_tiny_demo.py')
