#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_pyopencl.sh EXAMPLE.py: runs it with the first Python that has PyOpenCL, the system's own where PATH leads to another.
set -eu
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import numpy, pyopencl' 2>/dev/null; then
        exec "$python" "$1"
    fi
done
echo "no Python with PyOpenCL and NumPy (packages python3-pyopencl, python3-numpy)"
exit 77
