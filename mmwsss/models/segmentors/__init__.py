"""Segmentors that mmseg does not have."""

from mmwsss.models.segmentors.msc_encoder_decoder import MSCEncoderDecoder
from mmwsss.models.segmentors.score_tta import ScoreTTAModel

__all__ = ['MSCEncoderDecoder', 'ScoreTTAModel']
