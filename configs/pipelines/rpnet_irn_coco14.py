# RPNet's maps of COCO 2014, spread by IRNet with the thresholds of its paper.
_base_ = ['./sipe_irn_coco14.py', '../_base_/pipelines/irn_thresholds.py']
configs = dict(localizer='configs/rpnet/rpnet_r50_coco14.py')
