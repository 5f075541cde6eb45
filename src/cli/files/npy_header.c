/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/files/npy_header.h"

#include <stdio.h>
#include <string.h>

/* A reader over the header's text; problem is the first thing found wrong. */
struct reader {
    const char *at, *end;
    const char *problem;
    char *text; /* NPY_ERROR_BYTES for a problem that is not constant */
    enum npy_kind kind;
};

struct span {
    const char *start;
    size_t length;
};

static void fail(struct reader *r, const char *problem)
{
    if (!r->problem)
        r->problem = problem;
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* Takes the character c, after blanks, if it is next. */
static int take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->problem || r->at == r->end || *r->at != c)
        return 0;
    r->at++;
    return 1;
}

static int take_word(struct reader *r, const char *word)
{
    size_t length = strlen(word);

    skip_blanks(r);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return 0;
    r->at += length;
    return 1;
}

/* A string literal without escapes: none of the strings that are allowed here has one. */
static int take_string(struct reader *r, struct span *string)
{
    char quote;

    skip_blanks(r);
    if (r->at == r->end || (*r->at != '\'' && *r->at != '"'))
        return 0;
    quote = *r->at++;
    string->start = r->at;
    while (r->at < r->end && *r->at != quote && *r->at != '\\' && *r->at != '\n')
        r->at++;
    if (r->at == r->end || *r->at != quote)
        return 0;
    string->length = (size_t)(r->at++ - string->start);
    return 1;
}

static int span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.start, text, span.length) == 0;
}

static const struct {
    const char *descr;
    size_t bytes;
} types[NPY_TYPES] = {
    [NPY_FLOAT32] = {"<f4", 4}, [NPY_INT32] = {"<i4", 4},  [NPY_INT64] = {"<i8", 8}, [NPY_UINT8] = {"|u1", 1},
    [NPY_FLOAT16] = {"<f2", 2}, [NPY_UINT16] = {"<u2", 2}, [NPY_UINT32] = {"<u4", 4}};

#define BIT(type) (1u << (type))
static const struct {
    unsigned types;
    const char *expected, *how;
} kinds[] = {
    [NPY_REALS] = {BIT(NPY_FLOAT32), "'<f4', little-endian float32", " (numpy: astype('<f4'))"},
    [NPY_INTEGERS] = {BIT(NPY_INT32) | BIT(NPY_INT64) | BIT(NPY_UINT8) | BIT(NPY_FLOAT32),
                      "'<i4', '<i8', '|u1' or '<f4'", " (numpy: astype('<i4'))"},
    [NPY_TENSOR] = {BIT(NPY_FLOAT32) | BIT(NPY_FLOAT16) | BIT(NPY_UINT16),
                    "'<f4', '<f2', or '<u2' for bfloat16, all little-endian", " (numpy: astype('<f4'))"},
    [NPY_WORDS] = {BIT(NPY_UINT32), "'<u4', little-endian words of 32 bits", ""},
};

size_t npy_type_bytes(enum npy_type type)
{
    return types[type].bytes;
}

const char *npy_type_descr(enum npy_type type)
{
    return types[type].descr;
}

static void parse_descr(struct reader *r, struct npy_array *array)
{
    struct span descr;
    char shown[24];
    size_t length;

    if (!take_string(r, &descr)) {
        snprintf(r->text, NPY_ERROR_BYTES, "the type ('descr') is not a plain one; expected %s",
                 kinds[r->kind].expected);
        fail(r, r->text);
        return;
    }
    for (int type = 0; type < NPY_TYPES; type++) {
        if (kinds[r->kind].types & BIT(type) && span_is(descr, types[type].descr)) {
            array->type = (enum npy_type)type;
            return;
        }
    }
    length = descr.length < sizeof(shown) - 1 ? descr.length : sizeof(shown) - 1;
    for (size_t i = 0; i < length; i++)
        shown[i] = descr.start[i] >= ' ' && descr.start[i] <= '~' ? descr.start[i] : '?';
    shown[length] = '\0';
    snprintf(r->text, NPY_ERROR_BYTES, "the type is '%s'%s; expected %s%s", shown,
             shown[0] == '>' ? " (big-endian)" : "", kinds[r->kind].expected, kinds[r->kind].how);
    fail(r, r->text);
}

static void parse_order(struct reader *r)
{
    if (take_word(r, "True"))
        fail(r, "the values are in Fortran order; expected C order (numpy: ascontiguousarray)");
    else if (!take_word(r, "False"))
        fail(r, "'fortran_order' is neither True nor False");
}

/* A size; Python 2 put an L behind it. */
static void parse_size(struct reader *r, uint64_t *size)
{
    const char *start;

    skip_blanks(r);
    start = r->at;
    *size = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        uint64_t digit = (uint64_t)(*r->at - '0');

        if (*size > (UINT64_MAX - digit) / 10) {
            fail(r, "a size in 'shape' does not fit 64 bits");
            return;
        }
        *size = *size * 10 + digit;
        r->at++;
    }
    if (r->at == start)
        fail(r, "'shape' is not a tuple of sizes");
    else if (*start == '0' && r->at - start > 1)
        fail(r, "a size in 'shape' starts with 0");
    if (r->at < r->end && *r->at == 'L')
        r->at++;
}

static void parse_shape(struct reader *r, struct npy_array *array)
{
    int comma = 0;

    array->rank = 0;
    if (!take(r, '(')) {
        fail(r, "'shape' is not a tuple of sizes");
        return;
    }
    while (!take(r, ')')) {
        if (array->rank > 0 && !comma)
            fail(r, "'shape' is not a tuple of sizes");
        else if (array->rank == NPY_MAX_RANK)
            fail(r, "the array has more than 8 axes; expected at most 5");
        else
            parse_size(r, &array->shape[array->rank++]);
        if (r->problem)
            return;
        comma = take(r, ',');
    }
    if (array->rank == 1 && !comma)
        fail(r, "'shape' is not a tuple: one size needs a comma behind it, as in (3,)");
}

/* The values must be addressable; a zero size makes any other harmless. */
static void multiply_shape(struct reader *r, struct npy_array *array)
{
    int empty = 0;

    for (unsigned i = 0; i < array->rank; i++)
        empty |= array->shape[i] == 0;
    array->count = empty ? 0 : 1;
    for (unsigned i = 0; i < array->rank && !empty; i++) {
        if (array->count > (uint64_t)PTRDIFF_MAX / sizeof(int64_t) / array->shape[i]) {
            fail(r, "the sizes in 'shape' overflow what can be addressed");
            return;
        }
        array->count *= array->shape[i];
    }
}

static void parse_item(struct reader *r, struct npy_array *array, unsigned *seen)
{
    static const char *const names[] = {"descr", "fortran_order", "shape"};
    struct span key;
    unsigned which = 0;

    if (!take_string(r, &key) || !take(r, ':')) {
        fail(r, "the header is not a Python dict with the keys 'descr', 'fortran_order' and 'shape'");
        return;
    }
    while (which < 3 && !span_is(key, names[which]))
        which++;
    if (which == 3 || *seen & 1u << which) {
        fail(r,
             "the header has an unknown or a repeated key; expected 'descr', 'fortran_order' and 'shape', each once");
        return;
    }
    *seen |= 1u << which;
    if (which == 0)
        parse_descr(r, array);
    else if (which == 1)
        parse_order(r);
    else
        parse_shape(r, array);
}

const char *npy_parse_header(const char *header, size_t length, enum npy_kind kind, struct npy_array *array,
                             struct npy_error *error)
{
    struct reader r = {.at = header, .end = header + length, .text = error->text, .kind = kind};
    unsigned seen = 0;
    int comma = 1;

    if (!take(&r, '{'))
        fail(&r, "the header does not start with a Python dict");
    while (!r.problem && !take(&r, '}')) {
        if (!comma)
            fail(&r, "the header's dict is not closed, or lacks a comma");
        else
            parse_item(&r, array, &seen);
        comma = take(&r, ',');
    }
    skip_blanks(&r);
    if (r.at != r.end)
        fail(&r, "the header goes on behind its dict");
    if (seen != 7)
        fail(&r, "the header lacks a key; expected 'descr', 'fortran_order' and 'shape'");
    if (!r.problem)
        multiply_shape(&r, array);
    return r.problem;
}
