"""Pictures of maps and masks."""

from mmwsss.visualization.panels import (
    class_legend,
    colorize,
    heatmap,
    overlay,
    panel_image,
    save_panel,
)

__all__ = ['class_legend', 'colorize', 'heatmap', 'overlay', 'panel_image', 'save_panel']
