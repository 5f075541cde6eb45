#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes kernel files as a C table of bytes: embed.py [--table HEADER TYPE NAME] OUTPUT FOLDER FILE...

A file's name in the table is its path from FOLDER. HEADER declares TYPE, a struct of name, text and size, and the table NAME;
without --table they are the library's own."""
import os
import sys


def main():
    arguments = sys.argv[1:]
    header, kind, table = "device/program.h", "struct clnorm__file", "clnorm__files"
    if arguments[0] == "--table":
        header, kind, table = arguments[1:4]
        arguments = arguments[4:]
    output, folder, files = arguments[0], arguments[1], arguments[2:]
    lines = ["/* Made by kernels/embed.py; do not edit. */", f'#include "{header}"', ""]
    for number, path in enumerate(files):
        with open(path, "rb") as source:
            data = source.read()
        lines.append(f"static const unsigned char file_{number}[] = {{")
        for at in range(0, len(data), 24):
            lines.append("    " + ", ".join(str(byte) for byte in data[at : at + 24]) + ",")
        lines += ["    0,", "};", ""]
    lines.append(f"const {kind} {table}[] = {{")
    for number, path in enumerate(files):
        lines.append(f'    {{"{os.path.relpath(path, folder)}", file_{number}, sizeof file_{number} - 1}},')
    lines += ["    {0, 0, 0},", "};", ""]
    with open(output, "w", encoding="ascii") as target:
        target.write("\n".join(lines))


main()
