/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused, with which status and in which words, and what is just still accepted. */
#include "fixture/suite.h"
#include "plan/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char why[CLNORM__WHY];

/* Buffers are told apart by their address alone; none is ever looked into. */
static char memory[4];
static cl_mem mem(int number)
{
    return (cl_mem)(void *)&memory[number];
}

static void setup(void)
{
    why[0] = '\0';
}

static void names(const char *word)
{
    ck_assert_msg(strstr(why, word) != NULL, "'%s' does not name '%s'", why, word);
    ck_assert_uint_lt(strlen(why), CLNORM__WHY - 1); /* whole, not cut off */
}

static clnorm_desc good_desc(void)
{
    clnorm_desc desc = {.n = 2, .c = 3, .s = 4, .layout = CLNORM_CHANNELS_FIRST, .epsilon = 1e-5f};
    return desc;
}

/* ---- descriptions ---- */

static void desc_is(clnorm_desc desc, int status, const char *word)
{
    why[0] = '\0';
    ck_assert_int_eq(clnorm__check_desc(&desc, why), status);
    if (status != CLNORM_SUCCESS)
        names(word);
}

START_TEST(desc_null)
{
    ck_assert_int_eq(clnorm__check_desc(NULL, why), CLNORM_INVALID_ARGUMENT);
    names("desc");
    names("clnorm_describe");
}
END_TEST

START_TEST(desc_enums)
{
    static const int wrong[] = {-1, 2, 77, 2147483647};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        clnorm_desc desc = good_desc();
        memcpy(&desc.layout, &wrong[i], sizeof desc.layout); /* as a caller with a stray integer would */
        desc_is(desc, CLNORM_INVALID_ENUM, "layout");
    }
    for (int type = -1; type < 5; type++) {
        const int is_known = type >= CLNORM_FLOAT32 && type <= CLNORM_BFLOAT16;
        clnorm_desc desc = good_desc();
        memcpy(&desc.type, &type, sizeof desc.type);
        desc_is(desc, is_known ? CLNORM_SUCCESS : CLNORM_INVALID_ENUM, "type");
        ck_assert_uint_eq(clnorm_type_bytes(desc.type), is_known ? type == CLNORM_FLOAT32 ? 4 : 2 : 0);
    }
    clnorm_desc desc = good_desc();
    desc_is(desc, CLNORM_SUCCESS, "");
    desc.layout = CLNORM_CHANNELS_LAST;
    desc_is(desc, CLNORM_SUCCESS, "");
}
END_TEST

START_TEST(desc_sizes)
{
    clnorm_desc desc = good_desc();
    desc.n = 0;
    desc_is(desc, CLNORM_SUCCESS, "");
    desc.c = 0;
    desc_is(desc, CLNORM_INVALID_SIZE, "c is 0");
    desc = good_desc();
    desc.s = 0;
    desc_is(desc, CLNORM_INVALID_SIZE, "s is 0");
    desc = good_desc();
    desc.n = desc.c = desc.s = 1;
    desc_is(desc, CLNORM_SUCCESS, "");
}
END_TEST

START_TEST(desc_overflow)
{
    const uint64_t one = 1;
    const struct {
        uint64_t n, c, s;
        int status;
    } cases[] = {
        {one << 54, 1, 1, CLNORM_SUCCESS},
        {1, one << 54, 1, CLNORM_SUCCESS},
        {1, 1, one << 54, CLNORM_SUCCESS},
        {one << 20, one << 20, one << 14, CLNORM_SUCCESS},
        {(one << 54) + 1, 1, 1, CLNORM_SIZE_OVERFLOW},
        {one << 20, one << 20, one << 15, CLNORM_SIZE_OVERFLOW},
        {one << 32, one << 32, 1, CLNORM_SIZE_OVERFLOW}, /* 2^64 wraps to 0 */
        {one << 32, one << 31, 2, CLNORM_SIZE_OVERFLOW},
        {3, one << 62, 1, CLNORM_SIZE_OVERFLOW},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, CLNORM_SIZE_OVERFLOW}, /* wraps to UINT64_MAX */
        {UINT64_MAX, UINT64_MAX, 1, CLNORM_SIZE_OVERFLOW},          /* wraps to 1 */
        {0, one << 54, 1, CLNORM_SUCCESS},
        {0, one << 54, 2, CLNORM_SIZE_OVERFLOW}, /* n = 0 hides nothing */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clnorm_desc desc = good_desc();
        desc.n = cases[i].n;
        desc.c = cases[i].c;
        desc.s = cases[i].s;
        desc_is(desc, cases[i].status, "overflows");
    }
}
END_TEST

START_TEST(desc_epsilon)
{
    static const float good[] = {0.0f, -0.0f, 1e-45f, 1e-5f, 1.0f, 3.40282347e38f};
    const float bad[] = {-1e-45f, -1.0f, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        clnorm_desc desc = good_desc();
        desc.epsilon = good[i];
        desc_is(desc, CLNORM_SUCCESS, "");
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        clnorm_desc desc = good_desc();
        desc.epsilon = bad[i];
        desc_is(desc, CLNORM_INVALID_EPSILON, "epsilon");
    }
}
END_TEST

START_TEST(desc_activation)
{
    const clnorm_activation good[] = {CLNORM_IDENTITY, CLNORM_RELU, CLNORM_LEAKY_RELU(-0.5f), CLNORM_CLIPPED_RELU(6),
                                      {2, 1e-45f},     {-0.0f, 0},  {3.40282347e38f, 1}};
    const clnorm_activation bad[] = {{1, 0},   {NAN, 1}, {INFINITY, 1}, {-INFINITY, INFINITY}, {0, -1},
                                     {0, NAN}, {NAN, 0}, {1, -0.0f},    {0, -INFINITY}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        clnorm_desc desc = good_desc();
        desc.activation = good[i];
        desc_is(desc, CLNORM_SUCCESS, "");
        ck_assert_int_eq(clnorm__is_active(&good[i]), good[i].cap > 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        clnorm_desc desc = good_desc();
        desc.activation = bad[i];
        desc_is(desc, CLNORM_INVALID_ACTIVATION, "slope");
        names("cap");
    }
}
END_TEST

/* One bit is not enough of an activation with three parts. */
START_TEST(mask)
{
    const clnorm_activation good[] = {CLNORM_RELU, CLNORM_LEAKY_RELU(0.1f), CLNORM_CLIPPED_RELU(6)}, bad = {0.1f, 6};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_int_eq(clnorm__check_mask(&good[i], why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__check_mask(&bad, why), CLNORM_UNEXPECTED_BUFFER);
    names("mask is given");
    names("slope 0.1");
    names("cap 6");
}
END_TEST

/* With a slope below 0, what came out does not say on which side of 0 it came from. */
START_TEST(gate)
{
    const clnorm_activation good = {0.1f, 6}, bad = CLNORM_LEAKY_RELU(-0.1f);
    ck_assert_int_eq(clnorm__check_gate(&good, why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__check_mask(&bad, why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__check_gate(&bad, why), CLNORM_INVALID_ACTIVATION);
    names("slope is -0.1");
}
END_TEST

START_TEST(accumulate)
{
    for (unsigned flags = 0; flags < 8; flags++)
        ck_assert_int_eq(clnorm__check_accumulate(flags, why), CLNORM_SUCCESS);
    for (unsigned flags = 8; flags; flags *= 2) {
        ck_assert_int_eq(clnorm__check_accumulate(flags, why), CLNORM_INVALID_ENUM);
        names("accumulate is");
    }
}
END_TEST

/* ---- operation and momentum ---- */

START_TEST(operation)
{
    for (int i = CLNORM_FORWARD_TRAINING; i <= CLNORM_BACKWARD_FROZEN; i++)
        ck_assert_int_eq(clnorm__check_operation(i, why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__check_operation(-1, why), CLNORM_INVALID_ENUM);
    names("operation is -1");
    ck_assert_int_eq(clnorm__check_operation(4, why), CLNORM_INVALID_ENUM);
    names("operation is 4");
}
END_TEST

START_TEST(momentum)
{
    static const float good[] = {0.0f, -0.0f, 1e-45f, 0.1f, 0.99999994f, 1.0f};
    const float bad[] = {-1e-45f, 1.00000012f, -0.1f, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        for (unsigned flags = 0; flags <= 1; flags++)
            ck_assert_int_eq(clnorm__check_momentum(good[i], flags, why), CLNORM_SUCCESS);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setup();
        ck_assert_int_eq(clnorm__check_momentum(bad[i], 0, why), CLNORM_INVALID_MOMENTUM);
        names("momentum");
    }
    static const unsigned flags[] = {2, 3, 0x80000000u, 0xffffffffu};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        setup();
        ck_assert_int_eq(clnorm__check_momentum(0.1f, flags[i], why), CLNORM_INVALID_ENUM);
        names("running_flags");
    }
}
END_TEST

/* ---- buffers ---- */

/*
 * A call as forward training makes it, all in one buffer of 1000 elements: src at 0, dst at 100, scale at 200, workspace at
 * 300; 100 elements each but 10 of scale. Only dst and the workspace are written; dst may be src.
 */
enum { SRC, DST, SCALE, WORKSPACE, USES };

static struct clnorm__uses good_uses(void)
{
    static const char *const name[USES] = {"src", "dst", "scale", "workspace"};
    struct clnorm__uses uses = {.count = USES};
    for (int i = 0; i < USES; i++) {
        struct clnorm__use *u = &uses.use[i];
        u->name = name[i];
        u->buffer.mem = mem(0);
        u->buffer.offset = (uint64_t)i * 100;
        u->elements = i == SCALE ? 10 : 100;
        u->bytes = 4;
        u->spare = "";
        u->required = i != SCALE;
        u->written = i == DST || i == WORKSPACE;
        u->root = mem(0);
        u->size_bytes = 4000;
    }
    uses.use[DST].alias = 1u << SRC;
    return uses;
}

static void accepted(const struct clnorm__uses *uses)
{
    why[0] = '\0';
    int status = clnorm__check_present(uses, why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_buffers(uses, why);
    ck_assert_msg(status == CLNORM_SUCCESS, "%d: %s", status, why);
}

/* Refused, in a sentence that names both words. */
static void refused(const struct clnorm__uses *uses, int expected, const char *first, const char *second)
{
    why[0] = '\0';
    int status = clnorm__check_present(uses, why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_buffers(uses, why);
    ck_assert_msg(status == expected, "%d, not %d: %s", status, expected, why);
    names(first);
    names(second);
}

START_TEST(present)
{
    struct clnorm__uses uses = good_uses();
    accepted(&uses);
    uses.use[SCALE].buffer.mem = NULL;
    accepted(&uses);
    uses.use[SRC].buffer.mem = NULL;
    refused(&uses, CLNORM_MISSING_BUFFER, "src is NULL", "100 elements");
    uses = good_uses();
    uses.use[DST].buffer.mem = NULL;
    refused(&uses, CLNORM_MISSING_BUFFER, "dst is NULL", "100 elements");
    uses = good_uses();
    uses.use[WORKSPACE].buffer.mem = NULL;
    refused(&uses, CLNORM_MISSING_WORKSPACE, "workspace is NULL", "400 bytes");
    uses.use[WORKSPACE].elements = 0; /* n = 0 needs none */
    accepted(&uses);
    uses.use[SRC].elements = 0;
    uses.use[SRC].buffer.mem = NULL;
    accepted(&uses);
}
END_TEST

/* What may be given in the place of another is named with it. */
START_TEST(present_or_another)
{
    struct clnorm__uses uses = good_uses();
    uses.use[SRC].buffer.mem = NULL;
    uses.use[SRC].spare = ", unless mask is given";
    refused(&uses, CLNORM_MISSING_BUFFER, "src is NULL", "100 elements, unless mask is given");
}
END_TEST

START_TEST(foreign)
{
    for (int i = 0; i < USES; i++) {
        struct clnorm__uses uses = good_uses();
        uses.use[i].foreign = 1;
        refused(&uses, CLNORM_FOREIGN_BUFFER, uses.use[i].name, "cl_context");
        uses.use[i].buffer.mem = NULL;
        uses.use[i].required = 0;
        accepted(&uses);
    }
}
END_TEST

/* Each alone in a buffer that just holds it, then in one a byte smaller. */
START_TEST(sizes)
{
    for (int i = 0; i < USES; i++) {
        struct clnorm__uses uses = good_uses();
        struct clnorm__use *u = &uses.use[i];
        int small = i == WORKSPACE ? CLNORM_WORKSPACE_TOO_SMALL : CLNORM_BUFFER_TOO_SMALL;
        u->buffer.mem = u->root = mem(1);
        u->size_bytes = (u->buffer.offset + u->elements) * 4;
        accepted(&uses);
        u->size_bytes += 3; /* a part of an element more */
        accepted(&uses);
        u->size_bytes -= 4;
        refused(&uses, small, u->name, "offset");
        u->size_bytes += 1;
        u->buffer.offset++;
        refused(&uses, small, u->name, "offset");
        u->buffer.offset--;
        u->elements++;
        refused(&uses, small, u->name, "offset");
        u->elements = 0; /* nothing, at the end: fits; beyond the end: does not */
        u->buffer.offset = u->size_bytes / 4;
        accepted(&uses);
        u->buffer.offset++;
        refused(&uses, small, u->name, "offset");
    }
}
END_TEST

/* Offsets and sizes whose sum, or whose bytes, wrap. */
START_TEST(sizes_that_wrap)
{
    static const uint64_t offsets[] = {UINT64_MAX,        UINT64_MAX - 99,
                                       (uint64_t)1 << 62, ((uint64_t)1 << 62) + 100,
                                       (uint64_t)1 << 63, UINT64_MAX / 4 + 1};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        struct clnorm__uses uses = good_uses();
        uses.use[DST].buffer.offset = offsets[i];
        refused(&uses, CLNORM_BUFFER_TOO_SMALL, "dst", "offset");
        uses = good_uses();
        uses.use[SRC].elements = offsets[i];
        refused(&uses, CLNORM_BUFFER_TOO_SMALL, "src", "offset");
        uses = good_uses();
        uses.use[WORKSPACE].buffer.offset = offsets[i];
        refused(&uses, CLNORM_WORKSPACE_TOO_SMALL, "workspace", "offset");
        uses = good_uses();
        uses.use[DST].elements = offsets[i]; /* from offset 100 */
        refused(&uses, CLNORM_BUFFER_TOO_SMALL, "dst", "offset");
    }
}
END_TEST

START_TEST(overlap_alias)
{
    struct clnorm__uses uses = good_uses();
    uses.use[DST].buffer.offset = 0; /* exactly src: in place */
    accepted(&uses);
    uses.use[DST].buffer.offset = 1;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "src", "dst");
    names("exactly the same");
    uses.use[DST].buffer.offset = 99;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "src", "dst");
    uses.use[DST].buffer.offset = 0;
    uses.use[DST].elements = 99; /* the same start is not enough */
    refused(&uses, CLNORM_BUFFER_OVERLAP, "src", "dst");
    uses.use[DST].elements = 100;
    uses.use[DST].alias = 0; /* and without leave neither is exactly the same */
    refused(&uses, CLNORM_BUFFER_OVERLAP, "dst", "must be apart");
    uses.use[DST].alias = 1u << SCALE | 1u << WORKSPACE; /* nor with leave to be something else */
    refused(&uses, CLNORM_BUFFER_OVERLAP, "dst", "must be apart");
}
END_TEST

START_TEST(overlap_touching)
{
    struct clnorm__uses uses = good_uses();
    uses.use[SCALE].buffer.offset = 201; /* dst ends at 200, the workspace starts at 300 */
    uses.use[SCALE].elements = 99;
    accepted(&uses);
    uses.use[SCALE].elements = 100;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "scale", "workspace");
    uses.use[SCALE].elements = 10;
    uses.use[SCALE].buffer.offset = 199;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "scale", "dst");
    uses.use[SCALE].buffer.offset = 150; /* within */
    refused(&uses, CLNORM_BUFFER_OVERLAP, "scale", "dst");
    uses.use[SCALE].elements = 0; /* nothing overlaps nothing */
    accepted(&uses);
}
END_TEST

START_TEST(overlap_of_what_is_only_read)
{
    struct clnorm__uses uses = good_uses();
    uses.use[SCALE].buffer.offset = 50;
    accepted(&uses);
    uses.use[SCALE].buffer.offset = 0;
    uses.use[SCALE].elements = 100;
    accepted(&uses);
    uses.use[SCALE].written = 1;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "scale", "src");
    uses.use[SCALE].written = 0;
    uses.use[SRC].written = 1;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "scale", "src");
}
END_TEST

START_TEST(overlap_workspace)
{
    static const int others[] = {SRC, DST, SCALE};
    for (int i = 0; i < 3; i++) {
        struct clnorm__uses uses = good_uses();
        uses.use[WORKSPACE].buffer.offset = uses.use[others[i]].buffer.offset;
        uses.use[WORKSPACE].elements = uses.use[others[i]].elements;
        refused(&uses, CLNORM_BUFFER_OVERLAP, "workspace", uses.use[others[i]].name);
    }
}
END_TEST

/* Sub-buffers are other cl_mems of the same root: what counts is where they are. */
START_TEST(overlap_of_sub_buffers)
{
    struct clnorm__uses uses = good_uses();
    struct clnorm__use *dst = &uses.use[DST];
    dst->buffer.mem = mem(1);
    dst->buffer.offset = 0;
    dst->start_bytes = 400;
    dst->size_bytes = 400;
    accepted(&uses);
    dst->start_bytes = 396;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "src", "dst");
    dst->start_bytes = 404;
    uses.use[SCALE].buffer.offset = 201; /* dst now ends at 201 */
    accepted(&uses);
    uses.use[SCALE].buffer.offset = 200;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "dst", "scale");
    dst->start_bytes = 0; /* another cl_mem, the same bytes: an exact alias */
    accepted(&uses);
    dst->start_bytes = 200; /* start_bytes and offset both count */
    dst->buffer.offset = 50;
    dst->size_bytes = 600;
    accepted(&uses);
    dst->buffer.offset = 49;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "src", "dst");
    dst->root = mem(2); /* another root: apart, whatever the numbers */
    accepted(&uses);
}
END_TEST

/* Elements of 2 bytes beside those of 4: src and dst take 200 bytes each, from bytes 0 and 200 on. */
START_TEST(elements_of_two_bytes)
{
    struct clnorm__uses uses = good_uses();
    uses.use[SRC].bytes = uses.use[DST].bytes = 2;
    accepted(&uses);
    uses.use[DST].buffer.offset = 0;
    accepted(&uses);
    uses.use[DST].buffer.offset = 1;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "src", "bytes 2 to 202");
    uses.use[DST].buffer.offset = 1900; /* 4000 bytes in all */
    accepted(&uses);
    uses.use[DST].buffer.offset = 1901;
    refused(&uses, CLNORM_BUFFER_TOO_SMALL, "dst holds 2000 elements", "offset 1901");
    uses.use[DST].buffer.offset = 300;   /* ends where scale starts */
    uses.use[SCALE].buffer.offset = 200; /* byte 800 */
    accepted(&uses);
    uses.use[DST].buffer.offset = 301;
    refused(&uses, CLNORM_BUFFER_OVERLAP, "scale", "bytes 602 to 802");
    uses = good_uses();
    uses.use[DST].buffer.offset = 0;
    uses.use[DST].bytes = 2; /* the same start, half as long */
    refused(&uses, CLNORM_BUFFER_OVERLAP, "src", "exactly the same");
    uses = good_uses();
    uses.use[SRC].bytes = 2;
    uses.use[SRC].buffer.mem = uses.use[SRC].root = mem(1);
    uses.use[SRC].size_bytes = 201; /* half an element more */
    accepted(&uses);
    uses.use[SRC].size_bytes = 199;
    refused(&uses, CLNORM_BUFFER_TOO_SMALL, "src holds 99 elements", "offset 0 + 100");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check");
    TCase *tests = tcase_create("check");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, desc_null);
    tcase_add_test(tests, desc_enums);
    tcase_add_test(tests, desc_sizes);
    tcase_add_test(tests, desc_overflow);
    tcase_add_test(tests, desc_epsilon);
    tcase_add_test(tests, desc_activation);
    tcase_add_test(tests, mask);
    tcase_add_test(tests, gate);
    tcase_add_test(tests, accumulate);
    tcase_add_test(tests, operation);
    tcase_add_test(tests, momentum);
    tcase_add_test(tests, present);
    tcase_add_test(tests, present_or_another);
    tcase_add_test(tests, foreign);
    tcase_add_test(tests, sizes);
    tcase_add_test(tests, sizes_that_wrap);
    tcase_add_test(tests, overlap_alias);
    tcase_add_test(tests, overlap_touching);
    tcase_add_test(tests, overlap_of_what_is_only_read);
    tcase_add_test(tests, overlap_workspace);
    tcase_add_test(tests, overlap_of_sub_buffers);
    tcase_add_test(tests, elements_of_two_bytes);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
