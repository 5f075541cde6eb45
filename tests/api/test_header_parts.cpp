/* SPDX-License-Identifier: Apache-2.0 */
// The header comes first and alone: whatever it needs it must include itself. Compiled as strict C++11, never run.
#include "clnorm_parts.h"

extern "C" int test_header_parts_cpp();

extern "C" int test_header_parts_cpp()
{
    const uint64_t samples[2] = {1, 2};
    clnorm_parts parts = {2, samples, CLNORM_MERGE_BY_COUNTS};

    return CLNORM_INVALID_PARTS + static_cast<int>(parts.count == CLNORM_MOST_PARTS);
}
