/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* strdup, readlink */
#include "cli/train/data_set.h"

#include "cli/message.h"
#include "cli/files/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_values(const struct data_set *set)
{
    for (uint64_t i = 0; i < set->count * set->length; i++) {
        if (isfinite(set->values[i]))
            continue;
        complain("'%s': sample %llu, value %llu is %g; expected finite numbers", set->path,
                 (unsigned long long)(i / set->length), (unsigned long long)(i % set->length), (double)set->values[i]);
        return -1;
    }
    return 0;
}

int data_read(const char *path, struct data_set *set)
{
    char text[NPY_SHAPE_BYTES];
    struct npy_array array;
    struct npy_error error;

    memset(set, 0, sizeof(*set));
    if (npy_read(path, &array, &error) != 0) {
        complain("%s", error.text);
        return -1;
    }
    set->values = array.values;
    set->path = strdup(path);
    set->factor = 1;
    if (!set->path) {
        complain("out of memory");
        return -1;
    }
    if (array.rank < 2 || array.rank > 4 || array.count == 0) {
        complain("'%s' has shape %s; expected samples: (N, F), (N, H, W) or (N, C, H, W), sizes above 0", path,
                 npy_shape_text(array.rank, array.shape, text));
        return -1;
    }
    set->count = array.shape[0];
    set->length = array.count / array.shape[0];
    if (array.rank > 2) {
        set->image[0] = array.rank == 4 ? array.shape[1] : 1;
        set->image[1] = array.shape[array.rank - 2];
        set->image[2] = array.shape[array.rank - 1];
    }
    /* Samples are numbered in 32 bits on the device. */
    if (set->count >= UINT32_MAX) {
        complain("'%s' has %llu samples; expected fewer than 2^32", path, (unsigned long long)set->count);
        return -1;
    }
    return check_values(set);
}

static int take_labels(const struct npy_array *array, uint64_t most, struct data_set *set)
{
    set->labels = malloc((size_t)set->count * sizeof(*set->labels));
    if (!set->labels) {
        complain("out of memory");
        return -1;
    }
    set->classes = 0;
    for (uint64_t i = 0; i < set->count; i++) {
        int64_t label = array->integers[i];

        if (label < 0 || (uint64_t)label >= most) {
            complain("'%s': label of sample %llu is %lld; expected 0 to %llu", set->label_path, (unsigned long long)i,
                     (long long)label, (unsigned long long)most - 1);
            return -1;
        }
        set->labels[i] = (uint32_t)label;
        if ((uint64_t)label >= set->classes)
            set->classes = (uint64_t)label + 1;
    }
    return 0;
}

int data_read_labels(const char *path, uint64_t most, struct data_set *set)
{
    char text[NPY_SHAPE_BYTES];
    struct npy_array array;
    struct npy_error error;
    int result = -1;

    if (npy_read_integers(path, &array, &error) != 0) {
        complain("%s", error.text);
        return -1;
    }
    set->label_path = strdup(path);
    if (!set->label_path)
        complain("out of memory");
    else if (array.rank != 1 || array.count != set->count)
        complain("'%s' has shape %s; expected (%llu,), a label for each sample of '%s'", path,
                 npy_shape_text(array.rank, array.shape, text), (unsigned long long)set->count, set->path);
    else
        result = take_labels(&array, most, set);
    npy_free(&array);
    return result;
}

/* ---- the digits ----------------------------------------------------------------------------------------------- */

/* Writes FOLDER/NAME, where folder may be NULL, and says whether it can be read. */
static int has_file(const char *folder, const char *name, char *path, size_t capacity)
{
    return folder && folder[0] && snprintf(path, capacity, "%s/%s", folder, name) < (int)capacity &&
           access(path, R_OK) == 0;
}

/* A folder next to the one this program lies in: an installation that was moved as a whole, or a build in the source. */
static const char *beside_program(const char *name, char *folder, size_t capacity)
{
    ssize_t length = readlink("/proc/self/exe", folder, capacity - 1);
    char *end;

    folder[length > 0 ? length : 0] = '\0';
    end = strrchr(folder, '/');
    if (!end || (size_t)(end - folder) + strlen(name) + 2 > capacity)
        return NULL;
    strcpy(end + 1, name);
    return folder;
}

int data_read_digits(struct data_set *set)
{
    char path[4096], labels[4096], folder[4096];
    const char *variable = getenv("CLNORM_DATA_DIR");

    memset(set, 0, sizeof(*set));
    /* A folder that was named is the only one to look in. */
    if (variable && variable[0]
            ? !has_file(variable, "digits.npy", path, sizeof(path))
            : !has_file(beside_program("../share/clnorm", folder, sizeof(folder)), "digits.npy", path, sizeof(path)) &&
                  !has_file(beside_program("../tests/data", folder, sizeof(folder)), "digits.npy", path,
                            sizeof(path)) &&
                  !has_file(CLNORM_DATA_DIR, "digits.npy", path, sizeof(path))) {
        complain("cannot find the digits, digits.npy and digits-labels.npy, in %s; expected --in and --labels, or the "
                 "environment variable CLNORM_DATA_DIR to name their folder (tests/data of the source)",
                 variable && variable[0] ? variable : CLNORM_DATA_DIR);
        return -1;
    }
    snprintf(labels, sizeof(labels), "%.*s/digits-labels.npy", (int)(strlen(path) - strlen("/digits.npy")), path);
    return data_read(path, set) || data_read_labels(labels, DATA_MOST_CLASSES, set) ? -1 : 0;
}

/* ---- scaling -------------------------------------------------------------------------------------------------- */

float data_unit_factor(const struct data_set *set, const uint32_t *samples, uint64_t count)
{
    float largest = 0;

    for (uint64_t i = 0; i < count; i++) {
        const float *sample = set->values + samples[i] * set->length;

        for (uint64_t k = 0; k < set->length; k++)
            largest = fmaxf(largest, fabsf(sample[k]));
    }
    /* The reciprocal of a number near 0 is none. */
    return largest >= 1e-30f ? 1 / largest : 1;
}

const char *data_name(const struct data_set *set)
{
    const char *slash = strrchr(set->path, '/');

    return slash ? slash + 1 : set->path;
}

void data_scale(struct data_set *set, float factor)
{
    for (uint64_t i = 0; i < set->count * set->length; i++)
        set->values[i] *= factor;
    set->factor = factor;
}

void data_free(struct data_set *set)
{
    free(set->values);
    free(set->labels);
    free(set->path);
    free(set->label_path);
    memset(set, 0, sizeof(*set));
}
