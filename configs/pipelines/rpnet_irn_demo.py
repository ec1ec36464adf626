# RPNet's maps of generated images, spread by IRNet with the thresholds of its paper.
_base_ = ['./sipe_irn_demo.py', '../_base_/pipelines/irn_thresholds.py']
configs = dict(localizer='configs/rpnet/rpnet_tiny_demo.py')
