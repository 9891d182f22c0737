"""Link the images of each Mapillary SLS sub-scene, numbered in order, query and database alike.

python data_raw/sl_mapl_sls.py [--data_raw data_raw]
"""

import sys

from impromptu.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["mapillary-links", *sys.argv[1:]]))
