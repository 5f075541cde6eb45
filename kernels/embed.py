#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes kernel files as a C table of bytes: embed.py OUTPUT FILE..."""
import os
import sys


def main():
    output, files = sys.argv[1], sys.argv[2:]
    lines = ["/* Made by kernels/embed.py; do not edit. */", '#include "program.h"', ""]
    for number, path in enumerate(files):
        with open(path, "rb") as source:
            data = source.read()
        lines.append(f"static const unsigned char file_{number}[] = {{")
        for at in range(0, len(data), 24):
            lines.append("    " + ", ".join(str(byte) for byte in data[at : at + 24]) + ",")
        lines += ["    0,", "};", ""]
    lines.append("const struct clnorm__file clnorm__files[] = {")
    for number, path in enumerate(files):
        lines.append(f'    {{"{os.path.basename(path)}", file_{number}, sizeof file_{number} - 1}},')
    lines += ["    {0, 0, 0},", "};", ""]
    with open(output, "w", encoding="ascii") as target:
        target.write("\n".join(lines))


main()
