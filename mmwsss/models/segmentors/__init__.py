"""Segmentors that mmseg does not have."""

from mmwsss.models.segmentors.msc_encoder_decoder import MSCEncoderDecoder

__all__ = ['MSCEncoderDecoder']
