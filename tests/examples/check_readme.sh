#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check_readme.sh README.md... EMBED.c
#
# The first README's block of C stands in that file, line by line, so that it is compiled and run; and every link in the
# READMEs to a file of this tree leads to one.
set -eu
exec python3 - "$@" <<'END'
import os, re, sys

*readmes, source = sys.argv[1:]
failed = False

text = open(readmes[0], encoding='utf-8').read()
block = re.search(r'^```c\n(.*?)^```$', text, re.M | re.S)
if not block or block.group(1).count('\n') < 10:
    print(f'{readmes[0]} has no block of C')
    failed = True
else:
    # The block is the body of a function there, one level further in.
    lines = [line[4:] if line.startswith('    ') else line for line in open(source, encoding='utf-8').read().splitlines()]
    wanted = block.group(1).splitlines()
    if not any(lines[i:i + len(wanted)] == wanted for i in range(len(lines))):
        print(f'the block of C in {readmes[0]} does not stand in {source}; lines that differ:')
        print('\n'.join('    ' + line for line in wanted if line not in lines) or '    none, but their order')
        failed = True

links = 0
for readme in readmes:
    for target in re.findall(r'\]\(([^)\s]+)\)', open(readme, encoding='utf-8').read()):
        if re.match(r'[a-z]+:', target) or target.startswith('#'):
            continue
        links += 1
        if not os.path.exists(os.path.join(os.path.dirname(readme), target.split('#')[0])):
            print(f'{readme}: there is no {target}')
            failed = True
if failed or links == 0:
    sys.exit(1)
print(f"the README's example stands in {os.path.basename(source)}, and {links} links lead to files")
END
