# RPNet's maps of voc_mini, spread by IRNet with the thresholds of its paper.
_base_ = ['./sipe_irn_vocmini.py', '../_base_/pipelines/irn_thresholds.py']
configs = dict(localizer='configs/rpnet/rpnet_mobilenetv2_vocmini.py')
