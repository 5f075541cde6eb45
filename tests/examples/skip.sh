#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# skip.sh REASON: a test that cannot be built here is skipped, and says why.
echo "$1"
exit 77
