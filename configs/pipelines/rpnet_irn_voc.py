# RPNet's maps, spread by IRNet with the thresholds of its paper.
_base_ = ['./sipe_irn_voc.py', '../_base_/pipelines/irn_thresholds.py']
configs = dict(localizer='configs/rpnet/rpnet_r50_voc.py')
