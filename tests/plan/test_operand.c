/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operands against the argument structs and the words of the public headers, which CLNORM_INCLUDE has; and what is made of it. */
#include "fixture/suite.h"
#include "plan/operand.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the headers ---- */

static char headers[1 << 17];

/* Both headers' text, every run of blanks and of comments' asterisks as one blank. */
static void read_headers(void)
{
    static const char *const names[] = {"clnorm.h", "clnorm_blocks.h"};
    size_t length = 0;

    for (size_t i = 0; i < 2; i++) {
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", CLNORM_INCLUDE, names[i]);
        FILE *file = fopen(path, "rb");
        ck_assert_msg(file != NULL, "cannot read %s", path);
        for (int c; (c = fgetc(file)) != EOF;) {
            ck_assert_uint_lt(length + 2, sizeof(headers));
            if (!isspace(c) && c != '*')
                headers[length++] = (char)c;
            else if (length && headers[length - 1] != ' ')
                headers[length++] = ' ';
        }
        fclose(file);
    }
    headers[length] = '\0';
}

/* Where the struct of a call's arguments begins, and where the comment before it does. */
static const char *find_struct(const struct clnorm__operands *of, const char **comment)
{
    char start[100];

    snprintf(start, sizeof(start), "typedef struct %s {", of->args);
    const char *at = strstr(headers, start);
    ck_assert_msg(at != NULL, "no struct %s", of->args);
    for (*comment = at; *comment > headers && strncmp(*comment, "Required: ", 10) != 0;)
        --*comment;
    ck_assert_msg(*comment > headers, "%s: no word on what is required", of->args);
    return at + strlen(start);
}

/* Whether name stands in text as a word, before end. */
static int has_word(const char *text, const char *end, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = text; (at = strstr(at, name)) != NULL && at < end; at += length)
        if (!isalnum((unsigned char)at[-1]) && at[-1] != '_' && !isalnum((unsigned char)at[length]) &&
            at[length] != '_')
            return 1;
    return 0;
}

static const char *first_of(const char *text, const char *const *ends, size_t count)
{
    const char *first = text + strlen(text);

    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(text, ends[i]);
        if (at && at < first)
            first = at;
    }
    return first;
}

/* ---- tests ---- */

/*
 * Rows are what the struct has as buffers, all of them and each once; nothing but the strides of tensors and one or two numbers stands there
 * beside them.
 */
START_TEST(test_structs)
{
    const struct clnorm__operands *of = &clnorm__operands[_i];
    const char *comment, *at = find_struct(of, &comment), *end = strchr(at, '}');
    size_t rest = of->bytes - of->count * sizeof(clnorm_buffer);

    for (unsigned i = 0; i < of->count; i++) {
        const int has_strides = of->list[i].size == CLNORM__OF_TENSOR;
        char name[100];

        snprintf(name, sizeof(name), "%s_strides", of->list[i].name);
        ck_assert_int_eq(has_word(at, end, name), has_strides);
        ck_assert(has_strides == (of->list[i].strides > 0) && has_strides == (of->list[i].view > 0));
        rest -= has_strides ? sizeof(clnorm_strides) : 0;
        for (unsigned j = 0; has_strides && j < of->count; j++)
            ck_assert(of->list[i].strides >= of->list[j].member + sizeof(clnorm_buffer) &&
                      (i == j || of->list[i].strides != of->list[j].strides) &&
                      (i == j || of->list[i].view != of->list[j].view));
        ck_assert_msg(has_word(at, end, of->list[i].name), "%s has no %s", of->args, of->list[i].name);
        ck_assert_uint_le(of->list[i].member, of->bytes - sizeof(clnorm_buffer));
        for (unsigned j = 0; j < i; j++)
            ck_assert(of->list[i].member >= of->list[j].member + sizeof(clnorm_buffer) ||
                      of->list[j].member >= of->list[i].member + sizeof(clnorm_buffer));
    }
    /* momentum and flags, or flags and what a struct is filled up with. */
    ck_assert_msg(rest == 0 || rest == sizeof(float) + sizeof(unsigned), "%s: %zu bytes are in no row", of->args, rest);
}
END_TEST

/* What the header says is required is so in the table, and the other way round; what depends on the call it tells behind that. */
START_TEST(test_required)
{
    static const char *const ends[] = {".", ";", "at least one"};
    const struct clnorm__operands *of = &clnorm__operands[_i];
    const char *comment;
    find_struct(of, &comment);
    const char *end = first_of(comment, ends, 3);

    for (unsigned i = 0; i < of->count; i++) {
        const struct clnorm__operand *row = &of->list[i];
        int is_always = row->when & (CLNORM__ALWAYS | CLNORM__NOT_EMPTY) && !row->wanted_by &&
                        (!row->is_norm || _i == CLNORM__CALL_BLOCK_FOLD);

        ck_assert_msg(has_word(comment, end, row->name) == is_always, "%s: %s is %srequired in the table: '%.*s'",
                      of->args, row->name, is_always ? "" : "not ", (int)(end - comment), comment);
    }
}
END_TEST

/* Whether two rows may be the same: the later one of the table has it. */
static int may_alias(const struct clnorm__operands *of, unsigned i, unsigned j)
{
    return (int)((of->list[i].alias >> j | of->list[j].alias >> i) & 1u);
}

/* What may be the same, too: what is written as what is read. */
START_TEST(test_aliases)
{
    static const char *const ends[] = {".", "(", ",", ";"};
    const struct clnorm__operands *of = &clnorm__operands[_i];
    const char *comment;
    find_struct(of, &comment);
    const char *end_of_comment = strstr(comment, "typedef struct");

    for (unsigned i = 0; i < of->count; i++) {
        char words[2][100];

        snprintf(words[0], sizeof(words[0]), " %s may be the same as ", of->list[i].name);
        snprintf(words[1], sizeof(words[1]), ", and %s as ", of->list[i].name);
        const char *at = strstr(comment, words[0]);
        if (!at || at >= end_of_comment)
            at = strstr(comment, words[1]);
        int is_said = at && at < end_of_comment;
        int is_in_table = 0;
        for (unsigned j = 0; j < of->count; j++) {
            is_in_table |= of->list[i].is_written && may_alias(of, i, j);
            ck_assert(!may_alias(of, i, j) || of->list[i].is_written != of->list[j].is_written);
        }
        for (unsigned j = i; j < of->count; j++)
            ck_assert_uint_eq(of->list[i].alias >> j & 1u, 0);
        ck_assert_msg(is_said == is_in_table, "%s: the header does not say of %s what the table says", of->args,
                      of->list[i].name);
        if (!is_said)
            continue;
        at += strlen(strncmp(at, words[0], strlen(words[0])) == 0 ? words[0] : words[1]) - 1;
        for (unsigned j = 0; j < of->count; j++)
            ck_assert_msg(has_word(at, first_of(at, ends, 4), of->list[j].name) == may_alias(of, i, j),
                          "%s: %s over %s", of->args, of->list[i].name, of->list[j].name);
    }
}
END_TEST

/* A use for each row, with the call's sizes; required as its facts say. */
START_TEST(test_uses)
{
    const struct clnorm__operands *of = &clnorm__operands[CLNORM_BACKWARD_FROZEN];
    const uint64_t size[CLNORM__SIZES] = {
        [CLNORM__OF_TENSOR] = 30, [CLNORM__OF_CHANNELS] = 3, [CLNORM__OF_WORKSPACE] = 7};
    cl_mem mem = (cl_mem)headers; /* never looked at */

    for (unsigned turn = 0; turn < 4; turn++) {
        clnorm_backward_frozen_args args = {.diff_dst = {mem, 5}, .diff_scale = {turn & 1u ? mem : NULL, 0}};
        struct clnorm__uses uses = {0};
        char why[CLNORM__WHY] = "";

        ck_assert_int_eq(clnorm__operands_use(of, &args, size, turn & 2u ? CLNORM__NOT_EMPTY : 0u, 2, &uses, why),
                         CLNORM_SUCCESS);
        ck_assert_uint_eq(uses.count, of->count);
        for (unsigned i = 0; i < uses.count; i++) {
            const struct clnorm__use *u = &uses.use[i];
            int required = strcmp(u->name, "diff_dst") == 0 || strcmp(u->name, "workspace") == 0 ||
                           (strcmp(u->name, "src") == 0 && turn & 1u) ||
                           (strcmp(u->name, "variance") == 0 && turn & 2u) ||
                           (strcmp(u->name, "mean") == 0 && turn == 3);

            ck_assert_str_eq(u->name, of->list[i].name);
            ck_assert_msg(u->required == required, "turn %u: %s", turn, u->name);
            ck_assert_uint_eq(u->elements, size[of->list[i].size]);
            ck_assert_uint_eq(u->alias, of->list[i].alias);
            ck_assert_uint_eq(u->bytes, of->list[i].size == CLNORM__OF_TENSOR ? 2 : 4);
        }
        ck_assert(uses.use[1].buffer.mem == mem && uses.use[1].buffer.offset == 5);
    }
}
END_TEST

/* Without a normalization what belongs to it has no use, and must not be there. */
START_TEST(test_plain)
{
    const struct clnorm__operands *of = &clnorm__operands[CLNORM__CALL_BLOCK_TRAINING];
    const uint64_t size[CLNORM__SIZES] = {1, 1, 1, 1, 1, 1, 1};
    clnorm_block_training_args args = {.src = {(cl_mem)headers, 0}};
    struct clnorm__uses uses = {0};
    char why[CLNORM__WHY] = "";

    ck_assert_int_eq(clnorm__operands_use(of, &args, size, CLNORM__PLAIN, 4, &uses, why), CLNORM_SUCCESS);
    ck_assert_uint_eq(uses.count, 5);
    ck_assert_str_eq(uses.use[4].name, "workspace");
    args.save_invstd.mem = (cl_mem)headers;
    uses.count = 0;
    ck_assert_int_eq(clnorm__operands_use(of, &args, size, CLNORM__PLAIN, 4, &uses, why), CLNORM_UNEXPECTED_BUFFER);
    ck_assert_ptr_nonnull(strstr(why, "save_invstd is given"));
}
END_TEST

static const struct clnorm__use *use_of(const struct clnorm__uses *uses, const char *name)
{
    unsigned i = 0;

    while (i < uses->count && strcmp(uses->use[i].name, name) != 0)
        i++;
    ck_assert_msg(i < uses->count, "no %s", name);
    return &uses->use[i];
}

/* An activation's gradient needs dst, unless there is a mask; without an activation neither has a use. */
START_TEST(test_activation)
{
    static const unsigned calls[] = {CLNORM_BACKWARD_TRAINING, CLNORM_BACKWARD_FROZEN};
    const struct clnorm__operands *of = &clnorm__operands[calls[_i]];
    const uint64_t size[CLNORM__SIZES] = {[CLNORM__OF_TENSOR] = 33, [CLNORM__OF_MASK] = 2};
    const struct {
        unsigned facts;
        int has_mask, has_dst, status, needs_dst;
    } cases[] = {
        {CLNORM__NOT_EMPTY | CLNORM__ACTIVATED, 0, 0, CLNORM_SUCCESS, 1},
        {CLNORM__NOT_EMPTY | CLNORM__ACTIVATED, 0, 1, CLNORM_SUCCESS, 1},
        {CLNORM__NOT_EMPTY | CLNORM__ACTIVATED, 1, 0, CLNORM_SUCCESS, 0},
        {CLNORM__NOT_EMPTY | CLNORM__ACTIVATED, 1, 1, CLNORM_SUCCESS, 0},
        {CLNORM__NOT_EMPTY, 0, 0, CLNORM_SUCCESS, 0},
        {CLNORM__NOT_EMPTY, 1, 0, CLNORM_UNEXPECTED_BUFFER, 0},
        {CLNORM__NOT_EMPTY, 0, 1, CLNORM_UNEXPECTED_BUFFER, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cl_mem mask = cases[i].has_mask ? (cl_mem)headers : NULL, dst = cases[i].has_dst ? (cl_mem)headers : NULL;
        clnorm_backward_training_args batch = {.mask.mem = mask, .dst.mem = dst};
        clnorm_backward_frozen_args frozen = {.mask.mem = mask, .dst.mem = dst};
        const void *args = calls[_i] == CLNORM_BACKWARD_FROZEN ? (const void *)&frozen : (const void *)&batch;
        struct clnorm__uses uses = {0};
        char why[CLNORM__WHY] = "";

        ck_assert_int_eq(clnorm__operands_use(of, args, size, cases[i].facts, 2, &uses, why), cases[i].status);
        if (cases[i].status != CLNORM_SUCCESS) {
            ck_assert_ptr_nonnull(strstr(why, cases[i].has_mask ? "mask is given" : "dst is given"));
            continue;
        }
        ck_assert_int_eq(use_of(&uses, "dst")->required, cases[i].needs_dst);
        ck_assert_str_eq(use_of(&uses, "dst")->spare, ", unless mask is given");
        ck_assert(!use_of(&uses, "mask")->required && use_of(&uses, "mask")->elements == 2);
        ck_assert(use_of(&uses, "mask")->bytes == 4 && use_of(&uses, "dst")->bytes == 2);
    }
}
END_TEST

/* diff_src is no other tensor where what it holds counts; diff_residual may be diff_dst then, too. */
START_TEST(test_added)
{
    const struct clnorm__operands *of = &clnorm__operands[CLNORM_BACKWARD_TRAINING];
    const uint64_t size[CLNORM__SIZES] = {[CLNORM__OF_TENSOR] = 33};
    clnorm_backward_training_args args = {.src.mem = NULL};
    struct clnorm__uses uses = {0}, added = {0};
    char why[CLNORM__WHY] = "";

    ck_assert_int_eq(clnorm__operands_use(of, &args, size, CLNORM__NOT_EMPTY, 4, &uses, why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__operands_use(of, &args, size, CLNORM__NOT_EMPTY | CLNORM__ADDED, 4, &added, why),
                     CLNORM_SUCCESS);
    ck_assert_uint_eq(use_of(&uses, "diff_src")->alias, 3);
    ck_assert_uint_eq(use_of(&added, "diff_src")->alias, 0);
    ck_assert_uint_eq(use_of(&uses, "diff_residual")->alias, 2);
    ck_assert_uint_eq(use_of(&added, "diff_residual")->alias, 2);
}
END_TEST

/* Buffers go where kernels look for them, and those that are given have their flags. */
START_TEST(test_places)
{
    cl_mem mem[3] = {(cl_mem)&headers[0], (cl_mem)&headers[1], (cl_mem)&headers[2]};
    clnorm_forward_training_args args = {.dst = {mem[0], 1}, .save_invstd = {mem[1], 2}, .save_mean_low = {mem[2], 3}};
    struct clnorm__buffers b;
    unsigned flags = clnorm__operands_place(&clnorm__operands[CLNORM_FORWARD_TRAINING], &args, &b);

    ck_assert_uint_eq(flags, 32u | 64u); /* CLNORM_HAS_SAVE_MEAN_LOW, CLNORM_HAS_SAVE_INVSTD */
    ck_assert(b.dst.mem == mem[0] && b.dst.offset == 1 && b.spread.mem == mem[1] && b.mean_low.mem == mem[2]);
    ck_assert(!b.src.mem && !b.mean.mem && !b.workspace.mem);

    clnorm_backward_training_args back = {.mask = {mem[0], 1}, .dst = {mem[1], 2}, .diff_residual = {mem[2], 3}};
    flags = clnorm__operands_place(&clnorm__operands[CLNORM_BACKWARD_TRAINING], &back, &b);
    ck_assert_uint_eq(flags, 0);
    ck_assert(b.mask.mem == mem[0] && b.gate.mem == mem[1] && b.residual.mem == mem[2] && !b.dst.mem);
}
END_TEST

START_TEST(test_gradients)
{
    clnorm_backward_training_args none = {.src = {(cl_mem)headers, 0}}, one = {.diff_shift = {(cl_mem)headers, 0}};
    char why[CLNORM__WHY] = "";

    ck_assert_int_eq(clnorm__check_gradients(&clnorm__operands[CLNORM_BACKWARD_TRAINING], &one, why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__check_gradients(&clnorm__operands[CLNORM_BACKWARD_TRAINING], &none, why),
                     CLNORM_MISSING_BUFFER);
    ck_assert_str_eq(why, "diff_src, diff_scale, diff_shift and diff_residual are all NULL; at least one is required");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operand");
    TCase *cases = tcase_create("operand");

    tcase_add_unchecked_fixture(cases, read_headers, NULL);
    tcase_add_loop_test(cases, test_structs, 0, CLNORM__CALLS);
    tcase_add_loop_test(cases, test_required, 0, CLNORM__CALLS);
    tcase_add_loop_test(cases, test_aliases, 0, CLNORM__CALLS);
    tcase_add_test(cases, test_uses);
    tcase_add_test(cases, test_plain);
    tcase_add_loop_test(cases, test_activation, 0, 2);
    tcase_add_test(cases, test_added);
    tcase_add_test(cases, test_places);
    tcase_add_test(cases, test_gradients);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
