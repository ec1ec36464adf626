"""What each tool does: train, test, maps, masks, pictures. ``mmwsss.apis`` is their public face."""
