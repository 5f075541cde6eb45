/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture/suite.h"
#include "cli/check/record.h"

#include "clnorm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char records[] = "# contract, set, digest\n"
                              "1 check 00000000000000a1\n"
                              "1 check-quick 00000000000000a2\n"
                              "3 check 00000000000000c1\n"
                              "2 check 00000000000000b1\n"
                              "3 train c000000000000003";

static const struct {
    unsigned version;
    const char *set;
    uint64_t digest;
    enum record_answer answer;
    const char *words;
} asked[] = {
    {1, "check", 0xa1, RECORD_EQUAL, ", equal to the record of contract 1"},
    {2, "check", 0xb1, RECORD_EQUAL, ", equal to the record of contract 2"},
    {3, "train", UINT64_C(0xc000000000000003), RECORD_EQUAL, ", equal to the record of contract 3"},
    /* the last row says the same without an end of line; a set is its whole name */
    {1, "check", 0xa2, RECORD_DIFFERS, ", not 00000000000000a1, the record of contract 1"},
    {1, "check-quick", 0xa1, RECORD_DIFFERS, ", not 00000000000000a2, the record of contract 1"},
    /* the digest of another version is none of this one's, even if it is the same */
    {4, "check", 0xc1, RECORD_NONE, "; none is on record for contract 4 (00000000000000c1 is that of contract 3)"},
    {2, "check-quick", 0xa2, RECORD_NONE,
     "; none is on record for contract 2 (00000000000000a2 is that of contract 1)"},
    {1, "other", 1, RECORD_NONE, ""},
};

START_TEST(test_answers)
{
    char words[128];

    ck_assert_int_eq(record_compare(records, asked[_i].version, asked[_i].set, asked[_i].digest, words, sizeof(words)),
                     asked[_i].answer);
    ck_assert_str_eq(words, asked[_i].words);
}
END_TEST

/* This build's version has its digests, and a wrong one is told from them. */
START_TEST(test_embedded)
{
    static const char *const sets[] = {"check", "check-quick", "train"};
    char words[128], expected[64];

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        ck_assert_msg(record_answer(sets[i], 1, words, sizeof(words)) == RECORD_DIFFERS, "%s: '%s'", sets[i], words);
    snprintf(expected, sizeof(expected), ", the record of contract %d", CLNORM_CONTRACT_VERSION);
    ck_assert_ptr_nonnull(strstr(words, expected));
    /* what version 1 promised is not forgotten */
    ck_assert_int_eq(record_compare((const char *)record_files[0].text, 1, "check-quick", UINT64_C(0x5b259f8237a4377f),
                                    words, sizeof(words)),
                     RECORD_EQUAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *cases = tcase_create("record");

    tcase_add_loop_test(cases, test_answers, 0, sizeof(asked) / sizeof(asked[0]));
    tcase_add_test(cases, test_embedded);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
