# Your own images: data/custom/images, data/custom/names.csv and, only for scores, data/custom/masks with
# masks of some of the images. See docs/own_data.md.
_base_ = '../_base_/pipelines/localizer_segmenter.py'
data_root = 'data/custom'
configs = dict(
    localizer='configs/custom/sipe_r50_custom.py',
    segmenter='configs/custom/deeplabv2_r101_custom_pseudo.py',
)
stages = dict(
    data=dict(
        run='tool',
        tool='dataset_converters/generic.py',
        args=[
            '{data_root}/images',
            '--labels',
            '{data_root}/names.csv',
            '--out',
            '{data_root}',
            '--gt',
            '{data_root}/masks',
            '--val-fraction',
            '0.1',
        ],
        dry_run=True,
        reads=['{data_root}/images', '{data_root}/masks'],
        files=['{data_root}/train.txt', '{data_root}/classes.txt', '{data_root}/labels.csv'],
    ),
    localizer=dict(after='data'),
    maps_score=dict(
        partial=True, options={'val_dataloader.dataset.data_prefix.seg_map_path': 'masks'}
    ),
    masks_score=dict(
        partial=True, options={'val_dataloader.dataset.data_prefix.seg_map_path': 'masks'}
    ),
)
