/* SPDX-License-Identifier: Apache-2.0 */
/* The digests that are on record (tests/data/digests.txt, embedded), and what is to say of one beside them. */
#ifndef CLNORM_CLI_RECORD_H
#define CLNORM_CLI_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* What the file is embedded as; a table that ends with zeros. */
struct record_file {
    const char *name;
    const unsigned char *text;
    size_t size;
};
extern const struct record_file record_files[];

enum record_answer { RECORD_NONE, RECORD_EQUAL, RECORD_DIFFERS };

/*
 * Looks up a set's digest for a version of the numerical contract and compares; writes what is to be said behind the digest, such as
 * ", equal to the record of contract 1". Nothing on record for any version says nothing.
 */
enum record_answer record_compare(const char *records, unsigned version, const char *set, uint64_t digest, char *words,
                                  size_t size);

/* The same with the embedded records and this build's version. */
enum record_answer record_answer(const char *set, uint64_t digest, char *words, size_t size);

#endif
