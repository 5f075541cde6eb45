/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check/record.h"

#include "clnorm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum record_answer record_compare(const char *records, unsigned version, const char *set, uint64_t digest, char *words,
                                  size_t size)
{
    uint64_t latest = 0, found = 0;
    unsigned latest_version = 0;
    int is_there = 0;

    for (const char *line = records; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        unsigned row_version;
        char row_set[32];
        uint64_t row_digest;

        if (sscanf(line, "%u %31s %16" SCNx64, &row_version, row_set, &row_digest) != 3 || strcmp(row_set, set) != 0)
            continue;
        if (row_version == version) {
            is_there = 1;
            found = row_digest;
        } else if (row_version >= latest_version) {
            latest_version = row_version;
            latest = row_digest;
        }
    }
    words[0] = '\0';
    if (is_there && found == digest)
        snprintf(words, size, ", equal to the record of contract %u", version);
    else if (is_there)
        snprintf(words, size, ", not %016" PRIx64 ", the record of contract %u", found, version);
    else if (latest_version)
        snprintf(words, size, "; none is on record for contract %u (%016" PRIx64 " is that of contract %u)", version,
                 latest, latest_version);
    return !is_there ? RECORD_NONE : found == digest ? RECORD_EQUAL : RECORD_DIFFERS;
}

enum record_answer record_answer(const char *set, uint64_t digest, char *words, size_t size)
{
    return record_compare((const char *)record_files[0].text, CLNORM_CONTRACT_VERSION, set, digest, words, size);
}
