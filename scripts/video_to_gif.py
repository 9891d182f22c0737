"""An MP4, or a folder of images such as NeuroNCAP's CAM_FRONT, made into a GIF.

python scripts/video_to_gif.py SOURCE OUT.gif [--fps HZ] [--width PX]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["video-to-gif", *sys.argv[1:]]))
