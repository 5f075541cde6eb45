#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what a job's tests did, and ends with the line 'N passed, N failed, N skipped'.

  tally.py meson LOG.json...   the JSON logs of 'meson test'
  tally.py jobs FILE           the jobs' own closing lines, one a line as 'JOB STATUS SECONDS N passed, N failed, N skipped'
  tally.py text FILE STATUS [NAME]   the output of one test program and its exit status

A Check program counts its checks, any other test counts as one. Exit status 77 means skipped, and the last line printed
is the reason. The exit status is 1 when anything failed or when nothing ran at all.
"""
import json
import os
import re
import sys

CHECK = re.compile(r'^\s*\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)', re.M)
CLOSING = re.compile(r'(\d+) passed, (\d+) failed, (\d+) skipped$')
SKIPPED = 77
FAULT = re.compile(r':\d+:[FE]:|ERROR: ')  # Check's lines, and the sanitizers'
SHOWN = 15


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def test(self, name, text, good, skipped, why):
        """Adds one test program; tells about it unless it passed."""
        if skipped:
            self.skipped += 1
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            print(f'  skipped: {name}: {lines[-1] if lines else "no reason given"}')
            return
        bad = total = 0
        for checks, failures, errors in CHECK.findall(text):
            total += int(checks)
            bad += int(failures) + int(errors)
        if not good and bad == 0:  # it crashed, or ran out of time, or is no Check program
            bad, total = 1, max(total, 1)
        if total == 0 and not CHECK.search(text):
            total = 1
        self.passed += total - bad
        self.failed += bad
        if bad:
            print(f'  FAILED: {name}: {why}')
            self.show(text)

    @staticmethod
    def show(text):
        """From the first line that names a fault on, or the end: it may be all that is left of a long log."""
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        first = next((i for i, line in enumerate(lines) if FAULT.search(line)), max(len(lines) - SHOWN, 0))
        for line in lines[first:first + SHOWN]:
            print(f'    | {line[:200]}')

    def close(self):
        print(f'{self.passed} passed, {self.failed} failed, {self.skipped} skipped')
        return 1 if self.failed or self.passed + self.skipped == 0 else 0


def meson(tally, logs):
    for log in logs:
        folder = os.path.dirname(os.path.dirname(log))
        try:
            lines = open(log, encoding='utf-8', errors='replace').read().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            test = json.loads(line)
            result = test['result']
            tally.test(test['name'], test.get('stdout', '') + '\n' + (test.get('stderr') or ''),
                       result in ('OK', 'EXPECTEDFAIL'), result == 'SKIP',
                       f'{result.lower()}, exit status {test["returncode"]}; '
                       f'repeat it with: meson test -C {folder} --verbose "{test["name"].split(" / ")[-1]}"')


def jobs(tally, path):
    for line in open(path, encoding='utf-8'):
        job, status, seconds, rest = line.rstrip('\n').split(' ', 3)
        counts = CLOSING.search(rest)
        passed, failed, skipped = map(int, counts.groups()) if counts else (0, 0, 0)
        note = ''
        if int(status) == SKIPPED and not counts:
            skipped, note = 1, rest
        elif int(status) != 0 and failed == 0 or passed + failed + skipped == 0:
            failed, note = failed + 1, f'ended with status {status}, without a test counted as failed: {rest}'
        print(f'  {job:<12} {passed:7d} passed {failed:5d} failed {skipped:4d} skipped {seconds:>5} s   {note}'.rstrip())
        tally.passed += passed
        tally.failed += failed
        tally.skipped += skipped


def main(arguments):
    tally = Tally()
    kind = arguments[0] if arguments else ''
    if kind == 'meson':
        meson(tally, arguments[1:])
    elif kind == 'jobs':
        jobs(tally, arguments[1])
    elif kind == 'text':
        status = int(arguments[2])
        text = open(arguments[1], encoding='utf-8', errors='replace').read()
        tally.test(arguments[3] if len(arguments) > 3 else arguments[1], text, status == 0, status == SKIPPED,
                   f'exit status {status}')
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return tally.close()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
