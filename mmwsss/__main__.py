"""``python -m mmwsss``: the command ``mmwsss``."""

import sys

from mmwsss_command import main

if __name__ == '__main__':
    sys.exit(main())
