/* SPDX-License-Identifier: Apache-2.0 */
/* .npz files, the models in them, and .npy files of whole numbers: written, read back, and spoiled in every way. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "fixture/suite.h"
#include "cli/train/model_file.h"
#include "cli/files/npz.h"
#include "cli/files/whole_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[128];
static struct npy_error error;

static void setup(void)
{
    strcpy(folder, "/tmp/clnorm-npz-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/m.npz", folder);
}

static void teardown(void)
{
    unlink(path);
    ck_assert_msg(rmdir(folder) == 0, "a file is left in %s", folder);
}

static size_t load(unsigned char **bytes)
{
    FILE *file = fopen(path, "rb");
    long size;

    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    *bytes = malloc((size_t)size + 1);
    ck_assert_ptr_nonnull(*bytes);
    ck_assert_uint_eq(fread(*bytes, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return (size_t)size;
}

static void store(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void write_arrays(const struct npy_output *arrays, size_t count)
{
    struct whole_file file;

    ck_assert_int_eq(whole_file_open(path, &file), 0);
    ck_assert_msg(npz_write(file.stream, path, arrays, count, &error) == 0, "%s", error.text);
    ck_assert_int_eq(whole_file_finish(&file, 1), 0);
}

static void write_model(const struct model *model)
{
    struct whole_file file;

    ck_assert_int_eq(whole_file_open(path, &file), 0);
    ck_assert_msg(model_write(file.stream, path, model, &error) == 0, "%s", error.text);
    ck_assert_int_eq(whole_file_finish(&file, 1), 0);
}

/* ---- whole numbers -------------------------------------------------------------------------------------------- */

static int read_bytes(const char *descr, const void *values, size_t size, int is_integers, struct npy_array *array)
{
    char bytes[512] = "\x93NUMPY\x01\x00";
    int length = snprintf(bytes + 10, 400, "{'descr': '%s', 'fortran_order': False, 'shape': (3,), }\n", descr);
    FILE *stream;
    int result;

    bytes[8] = (char)length;
    memcpy(bytes + 10 + length, values, size);
    stream = fmemopen(bytes, 10 + (size_t)length + size, "rb");
    ck_assert_ptr_nonnull(stream);
    result = npy_read_stream(stream, "y.npy", is_integers, array, &error);
    fclose(stream);
    return result;
}

START_TEST(test_integers)
{
    static const struct {
        const char *descr;
        unsigned char bytes[24];
        size_t size;
        int64_t expected[3];
    } good[] = {
        {"<i4", {1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0, 1, 0, 0}, 12, {1, -2, 256}},
        {"<i8",
         {1, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 0, 0, 0},
         24,
         {1, -2, INT64_C(1) << 32}},
        {"|u1", {1, 0, 255}, 3, {1, 0, 255}},
        {"<f4", {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0x80, 0x4b}, 12, {1, -2, 16777216}},
    };
    struct npy_array array;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(read_bytes(good[i].descr, good[i].bytes, good[i].size, 1, &array) == 0, "%s", error.text);
        ck_assert_ptr_null(array.values);
        ck_assert_mem_eq(array.integers, good[i].expected, sizeof(good[i].expected));
        npy_free(&array);
        ck_assert_ptr_null(array.integers);
        ck_assert_int_eq(read_bytes(good[i].descr, good[i].bytes, good[i].size - 1, 1, &array), -1);
        ck_assert_ptr_nonnull(strstr(error.text, "truncated"));
    }
}
END_TEST

START_TEST(test_no_integers)
{
    static const float halves[3] = {0, 1, 1.5f}, nans[3] = {0, NAN, 0}, large[3] = {0, 1, 16777218.0f};
    struct npy_array array;

    ck_assert_int_eq(read_bytes("<f4", halves, 12, 1, &array), -1);
    ck_assert_str_eq(error.text, "'y.npy': value number 2 is 1.5; expected whole numbers up to 2^24 in magnitude");
    ck_assert_ptr_null(array.integers);
    ck_assert_int_eq(read_bytes("<f4", nans, 12, 1, &array), -1);
    ck_assert_int_eq(read_bytes("<f4", large, 12, 1, &array), -1);
    ck_assert_int_eq(read_bytes("<f8", halves, 12, 1, &array), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "the type is '<f8'; expected '<i4', '<i8', '|u1' or '<f4'"));
    ck_assert_int_eq(read_bytes("<i4", halves, 12, 0, &array), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "the type is '<i4'; expected '<f4', little-endian float32"));
}
END_TEST

/* ---- archives ------------------------------------------------------------------------------------------------- */

static const float reals[6] = {1, -2.5f, 3e-38f, INFINITY, 0, -0.0f};
static const int32_t wholes[2] = {-7, 2147483647};
static const struct npy_output pair[2] = {
    {.path = "reals", .rank = 2, .shape = {2, 3}, .values = reals},
    {.path = "wholes", .rank = 1, .shape = {2}, .integers = wholes},
};

START_TEST(test_round_trip)
{
    unsigned char *first, *second;
    struct npy_array array;
    struct npz *npz;
    size_t size;

    write_arrays(pair, 2);
    ck_assert_msg(npz_open(path, &npz, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(npz_count(npz), 2);
    ck_assert_msg(npz_read(npz, "reals", 0, &array, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(array.rank, 2);
    ck_assert_uint_eq(array.shape[1], 3);
    ck_assert_mem_eq(array.values, reals, sizeof(reals));
    npy_free(&array);
    ck_assert_msg(npz_read(npz, "wholes", 1, &array, &error) == 0, "%s", error.text);
    ck_assert_int_eq(array.integers[0], -7);
    ck_assert_int_eq(array.integers[1], 2147483647);
    npy_free(&array);
    ck_assert_int_eq(npz_read(npz, "none", 0, &array, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "has no array 'none'"));
    ck_assert_int_eq(npz_read(npz, "wholes", 0, &array, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "m.npz:wholes': the type is '<i4'; expected '<f4'"));
    npz_close(npz);

    /* The same arrays make the same file. */
    size = load(&first);
    sleep(2); /* a date in it would have changed */
    write_arrays(pair, 2);
    ck_assert_uint_eq(load(&second), size);
    ck_assert_mem_eq(first, second, size);
    free(first);
    free(second);
}
END_TEST

/* Reads all there is. Returns 0 or -1 with a sentence that names the file. */
static int read_all(void)
{
    struct npy_array array;
    struct npz *npz;
    int result;

    error.text[0] = '\0';
    if (npz_open(path, &npz, &error) != 0) {
        ck_assert_ptr_null(npz);
        return -1;
    }
    result = npz_read(npz, "reals", 0, &array, &error);
    if (result == 0) {
        result = memcmp(array.values, reals, sizeof(reals)) == 0 ? 0 : 1;
        npy_free(&array);
    }
    if (result == 0) {
        result = npz_read(npz, "wholes", 1, &array, &error);
        if (result == 0)
            result = array.integers[0] == -7 && array.integers[1] == 2147483647 ? 0 : 1;
        npy_free(&array);
    }
    npz_close(npz);
    return result;
}

/* A file that ends too early is refused wherever it ends. */
START_TEST(test_truncated)
{
    unsigned char *bytes;
    size_t size;

    write_arrays(pair, 2);
    size = load(&bytes);
    for (size_t length = 0; length < size; length++) {
        store(bytes, length);
        ck_assert_msg(read_all() == -1, "%zu of %zu bytes are taken", length, size);
        ck_assert_msg(strstr(error.text, path) != NULL, "'%s' does not name the file", error.text);
    }
    free(bytes);
}
END_TEST

/* Whatever byte is changed: values that are read are right, or the file is refused. */
START_TEST(test_flipped)
{
    unsigned char *bytes;
    size_t size, refused = 0;

    write_arrays(pair, 2);
    size = load(&bytes);
    for (size_t at = 0; at < size; at++) {
        int result;

        bytes[at] ^= 0x41;
        store(bytes, size);
        result = read_all();
        ck_assert_msg(result != 1, "wrong values, where byte %zu was changed", at);
        ck_assert_msg(result == 0 || strstr(error.text, path) != NULL, "'%s' does not name the file", error.text);
        refused += result != 0;
        bytes[at] ^= 0x41;
    }
    /* Dates and rights may change; contents, names and checksums not. */
    ck_assert_uint_gt(refused, size / 2);
    free(bytes);
}
END_TEST

START_TEST(test_no_archive)
{
    struct npz *npz;

    ck_assert_int_eq(npz_open(path, &npz, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot open"));
    ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
    store("1,2,3\n", 6);
    ck_assert_int_eq(npz_open(path, &npz, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "is not a .npz file"));
    ck_assert_int_eq(whole_file_possible("/nowhere/m.npz", error.text, sizeof(error.text)), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot write '/nowhere/m.npz'"));
}
END_TEST

/* ---- models --------------------------------------------------------------------------------------------------- */

static void make_model(struct model *model)
{
    static const struct network_options options = {
        .image = {1, 6, 5}, .conv = {3, 2}, .conv_count = 2, .hidden = {7}, .hidden_count = 1, .classes = 4};

    memset(model, 0, sizeof(*model));
    ck_assert_int_eq(network_build(&options, &model->network), 0);
    ck_assert_int_eq(model_allocate(model), 0);
    network_initialize(&model->network, 1, model->parameters, model->statistics);
    model->factor = 0.0625f;
    model->network.layers[1].desc.epsilon = 1e-3f;
}

START_TEST(test_model)
{
    struct model model, back;

    make_model(&model);
    ck_assert_uint_eq(model.network.count, 4);
    ck_assert_uint_eq(model.network.layers[1].dst_length, 2 * 3 * 3);
    ck_assert_uint_eq(model.network.weight_count, 27 + 6 + 54 + 4 + 18 * 7 + 14 + 28 + 4);
    write_model(&model);
    ck_assert_msg(model_read(path, &back, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(back.network.count, 4);
    ck_assert(back.factor == 0.0625f && back.network.layers[1].desc.epsilon == 1e-3f);
    for (unsigned i = 0; i < 4; i++) {
        clnorm_block_desc a = model.network.layers[i].desc, b = back.network.layers[i].desc;

        ck_assert(a.src_c == b.src_c && a.src_h == b.src_h && a.src_w == b.src_w && a.dst_c == b.dst_c);
        ck_assert(a.kernel_h == b.kernel_h && a.kernel_w == b.kernel_w && a.stride_w == b.stride_w);
        ck_assert(a.pad_h == b.pad_h && a.flags == b.flags);
        ck_assert(a.activation.slope == b.activation.slope && a.activation.cap == b.activation.cap);
    }
    ck_assert_uint_eq(back.network.parameter_count, model.network.parameter_count);
    ck_assert_mem_eq(back.parameters, model.parameters, model.network.parameter_count * sizeof(float));
    ck_assert_mem_eq(back.statistics, model.statistics, model.network.statistic_count * sizeof(float));
    ck_assert_uint_eq(model_digest(&back), model_digest(&model));
    back.statistics[back.network.layers[0].mean] += 1;
    ck_assert_uint_ne(model_digest(&back), model_digest(&model));
    model_free(&model);
    model_free(&back);
}
END_TEST

/* A network of one layer, 2 inputs and 3 outputs, whose arrays can be spoiled one by one. */
struct spoiled {
    int32_t format, layers[9], epoch;
    float factor, epsilon, weights[6], bias[3], velocities[6];
    struct npy_output arrays[9];
};

static void make_spoiled(struct spoiled *s)
{
    const struct spoiled fresh = {.format = 1, .layers = {2, 1, 1, 3, 1, 1, 0, 0, 0}, .factor = 1};

    *s = fresh;
    s->arrays[0] = (struct npy_output){.path = "format", .rank = 1, .shape = {1}, .integers = &s->format};
    s->arrays[1] = (struct npy_output){.path = "factor", .rank = 1, .shape = {1}, .values = &s->factor};
    s->arrays[2] = (struct npy_output){.path = "layers", .rank = 2, .shape = {1, 9}, .integers = s->layers};
    s->arrays[3] = (struct npy_output){.path = "epsilon", .rank = 1, .shape = {1}, .values = &s->epsilon};
    s->arrays[4] = (struct npy_output){.path = "layer0.weights", .rank = 2, .shape = {3, 2}, .values = s->weights};
    s->arrays[5] = (struct npy_output){.path = "layer0.bias", .rank = 1, .shape = {3}, .values = s->bias};
    s->arrays[6] = (struct npy_output){.path = "more", .rank = 1, .shape = {3}, .values = s->bias};
}

/* With what training goes on from. */
static void make_trained(struct spoiled *s)
{
    make_spoiled(s);
    s->epoch = 7;
    s->velocities[2] = 0.5f;
    s->arrays[6] = (struct npy_output){.path = "epoch", .rank = 1, .shape = {1}, .integers = &s->epoch};
    s->arrays[7] = s->arrays[4];
    s->arrays[7].path = "layer0.velocity.weights";
    s->arrays[7].values = s->velocities;
    s->arrays[8] = s->arrays[5];
    s->arrays[8].path = "layer0.velocity.bias";
}

static void assert_refused(const struct spoiled *s, size_t count, const char *expected)
{
    struct model model;

    write_arrays(s->arrays, count);
    ck_assert_msg(model_read(path, &model, &error) == -1, "taken, expected '%s'", expected);
    ck_assert_msg(strstr(error.text, expected) != NULL, "'%s' does not say '%s'", error.text, expected);
    ck_assert_msg(strstr(error.text, path) != NULL, "'%s' does not name the file", error.text);
    ck_assert_ptr_null(model.parameters);
}

START_TEST(test_trained_models)
{
    struct spoiled s;
    struct model model;

    make_trained(&s);
    write_arrays(s.arrays, 9);
    ck_assert_msg(model_read(path, &model, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(model.epoch, 7);
    ck_assert(model.velocity[model.network.layers[0].weights + 2] == 0.5f);
    /* And written again. */
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(model_write(file, path, &model, &error), 0);
    ck_assert_int_eq(fclose(file), 0);
    model_free(&model);
    ck_assert_msg(model_read(path, &model, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(model.epoch, 7);
    ck_assert(model.velocity[model.network.layers[0].weights + 2] == 0.5f);
    model_free(&model);
    assert_refused(&s, 8, "has no array 'layer0.velocity.bias'");
    s.epoch = 0;
    assert_refused(&s, 9, "array 'epoch' is not one number from 1 on");
    make_trained(&s);
    s.velocities[0] = NAN;
    assert_refused(&s, 9, "has a velocity that is not finite");
    make_trained(&s);
    s.arrays[7].shape[1] = 1;
    assert_refused(&s, 9, "layer0.velocity.weights");
}
END_TEST

START_TEST(test_wrong_models)
{
    static const struct {
        int place, value;
    } numbers[] = {{0, 0}, {0, -1}, {3, 0}, {4, 0}, {4, 2}, {5, 0}, {6, -1}, {7, 2}, {8, -1}};
    struct spoiled s;
    struct model model;

    make_spoiled(&s);
    write_arrays(s.arrays, 6);
    ck_assert_msg(model_read(path, &model, &error) == 0, "%s", error.text);
    model_free(&model);
    assert_refused(&s, 7, "has 7 arrays; expected the 6 of its layers");
    assert_refused(&s, 5, "has no array 'layer0.bias'");
    s.format = 2;
    assert_refused(&s, 6, "is a model of format 2; expected 1, the one this clnorm knows");
    make_spoiled(&s);
    s.arrays[0].path = "other";
    assert_refused(&s, 6, "has no array 'format'; expected a model written by clnorm train");
    make_spoiled(&s);
    s.factor = NAN;
    assert_refused(&s, 6, "array 'factor' is not a finite number");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        make_spoiled(&s);
        s.layers[numbers[i].place] = numbers[i].value;
        assert_refused(&s, 6, "array 'layers' or 'epsilon': layer 0 is none that can be");
    }
    make_spoiled(&s);
    s.epsilon = -1;
    assert_refused(&s, 6, "array 'layers' or 'epsilon': layer 0 is none that can be");
    make_spoiled(&s);
    s.arrays[2].rank = 1;
    assert_refused(&s, 6, "array 'layers' is no list of 1 to 12 layers of 9 numbers each");
    make_spoiled(&s);
    s.arrays[4].shape[0] = 2;
    s.arrays[4].shape[1] = 3;
    assert_refused(&s, 6, "array 'layer0.weights' has shape (2, 3); expected (3, 2)");
    make_spoiled(&s);
    s.weights[5] = INFINITY;
    assert_refused(&s, 6, "has a weight that is not finite");
}
END_TEST

/* Layers that are right each, but do not follow each other. */
START_TEST(test_broken_chain)
{
    static int32_t layers[18] = {2, 1, 1, 3, 1, 1, 0, 0, 1, 4, 1, 1, 3, 1, 1, 0, 0, 0};
    static const float epsilons[2];
    struct spoiled s;

    make_spoiled(&s);
    s.arrays[2].shape[0] = 2;
    s.arrays[2].integers = layers;
    s.arrays[3].shape[0] = 2;
    s.arrays[3].values = epsilons;
    assert_refused(&s, 6, "array 'layers': the layers do not form a chain");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("npz");
    TCase *cases = tcase_create("npz");

    if (npz_check(&error) != 0) {
        printf("%s: nothing is tested\n", error.text);
        return 77;
    }
    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, test_integers);
    tcase_add_test(cases, test_no_integers);
    tcase_add_test(cases, test_round_trip);
    tcase_add_test(cases, test_truncated);
    tcase_add_test(cases, test_flipped);
    tcase_add_test(cases, test_no_archive);
    tcase_add_test(cases, test_model);
    tcase_add_test(cases, test_trained_models);
    tcase_add_test(cases, test_wrong_models);
    tcase_add_test(cases, test_broken_chain);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
