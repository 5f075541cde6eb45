/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tensors.h"

#include "cli/message.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/files/npy_header.h"
#include "cli/files/whole_file.h"

#include <stdlib.h>
#include <string.h>

static int read_kind(const char *path, enum npy_kind kind, struct npy_array *array)
{
    struct npy_error error;

    show_progress("reading %s", path);
    if (npy_read_kind(path, kind, array, &error) != 0) {
        complain("%s", error.text);
        return -1;
    }
    clear_progress();
    return 0;
}

int read_array(const char *path, struct npy_array *array)
{
    return read_kind(path, NPY_REALS, array);
}

/* Whether the type of a tensor is what --bfloat16 says of it. */
static int check_type(const char *path, int is_bfloat16, const struct npy_array *array)
{
    if ((array->type == NPY_UINT16) == is_bfloat16)
        return 0;
    if (is_bfloat16)
        complain("'%s': the type is '%s'; expected '<u2', in which --bfloat16 finds bfloat16", path,
                 npy_type_descr(array->type));
    else
        complain("'%s': the type is '<u2'; expected '<f4' or '<f2', or --bfloat16 as well where it holds bfloat16",
                 path);
    return -1;
}

static enum clnorm_type tensor_type(enum npy_type type)
{
    return type == NPY_FLOAT16 ? CLNORM_FLOAT16 : type == NPY_UINT16 ? CLNORM_BFLOAT16 : CLNORM_FLOAT32;
}

int read_tensor(const char *path, const struct tensor_options *options, struct npy_array *array, clnorm_desc *desc)
{
    char text[NPY_SHAPE_BYTES];
    int status;

    if (read_kind(path, NPY_TENSOR, array) != 0 || check_type(path, options->is_bfloat16, array) != 0)
        return -1;
    npy_shape_text(array->rank, array->shape, text);
    if (array->rank < 2 || array->rank > 5) {
        complain("'%s' has shape %s, %u axes; expected 2 to 5: (N, C), (N, C, ...) or (N, ..., C)", path, text,
                 array->rank);
        return -1;
    }
    for (unsigned i = 1; i < array->rank; i++) {
        if (array->shape[i] == 0) {
            complain("'%s' has shape %s; expected sizes above 0, but for the first", path, text);
            return -1;
        }
    }
    status = clnorm_describe((enum clnorm_layout)options->layout, array->rank, array->shape, desc);
    if (status != CLNORM_SUCCESS) {
        complain("'%s' has shape %s: %s", path, text, clnorm_status_string(status));
        return -1;
    }
    desc->epsilon = options->epsilon;
    desc->type = tensor_type(array->type);
    desc->activation = options->activation;
    desc->group_samples = options->group_samples;
    if (desc->n && desc->group_samples > desc->n) {
        complain("'%s' has shape %s; expected at least the %llu samples of --group-samples", path, text,
                 (unsigned long long)desc->group_samples);
        return -1;
    }
    desc->group_channels = options->group_channels;
    if (desc->group_channels && desc->c % desc->group_channels) {
        complain("'%s' has shape %s; expected channels, which are %llu, that the %llu of --group-channels divide", path,
                 text, (unsigned long long)desc->c, (unsigned long long)desc->group_channels);
        return -1;
    }
    return 0;
}

uint64_t sample_groups(const clnorm_desc *desc)
{
    return desc->group_samples && desc->n ? (desc->n - 1) / desc->group_samples + 1 : 1;
}

uint64_t statistics_count(const clnorm_desc *desc)
{
    return desc->group_channels ? desc->c / desc->group_channels : desc->c;
}

unsigned statistics_shape(const clnorm_desc *desc, uint64_t shape[2])
{
    shape[0] = desc->group_samples ? sample_groups(desc) : statistics_count(desc);
    shape[1] = statistics_count(desc);
    return desc->group_samples ? 2 : 1;
}

int read_same_shape(const char *path, const struct npy_array *like, const char *like_path, struct npy_array *array)
{
    char text[NPY_SHAPE_BYTES], expected[NPY_SHAPE_BYTES];

    if (!path)
        return 0;
    if (read_kind(path, NPY_TENSOR, array) != 0)
        return -1;
    if (array->type != like->type) {
        complain("'%s': the type is '%s'; expected '%s', the type of '%s'", path, npy_type_descr(array->type),
                 npy_type_descr(like->type), like_path);
        return -1;
    }
    if (array->rank == like->rank && memcmp(array->shape, like->shape, like->rank * sizeof(like->shape[0])) == 0)
        return 0;
    complain("'%s' has shape %s; expected %s, the shape of '%s'", path, npy_shape_text(array->rank, array->shape, text),
             npy_shape_text(like->rank, like->shape, expected), like_path);
    return -1;
}

int read_values(const char *path, uint64_t count, const char *each, const char *of, const char *where,
                struct npy_array *array)
{
    char text[NPY_SHAPE_BYTES];

    if (!path)
        return 0;
    if (read_array(path, array) != 0)
        return -1;
    if (array->rank == 1 && array->shape[0] == count)
        return 0;
    complain("'%s' has shape %s; expected (%llu,), a value for each %s of '%s'%s", path,
             npy_shape_text(array->rank, array->shape, text), (unsigned long long)count, each, of, where);
    return -1;
}

int read_vector(const char *path, const clnorm_desc *desc, const char *tensor_path, struct npy_array *array)
{
    return read_values(path, desc->c, "channel", tensor_path,
                       desc->layout == CLNORM_CHANNELS_LAST ? " in channels-last" : " in channels-first", array);
}

int read_given(const char *path, const clnorm_desc *desc, const char *tensor_path, struct npy_array *array)
{
    return desc->group_channels ? read_values(path, statistics_count(desc), "group of channels", tensor_path, "", array)
                                : read_vector(path, desc, tensor_path, array);
}

int read_statistics(const char *path, const clnorm_desc *desc, const char *tensor_path, struct npy_array *array)
{
    char text[NPY_SHAPE_BYTES], expected[NPY_SHAPE_BYTES];
    uint64_t shape[2];
    const unsigned rank = statistics_shape(desc, shape);

    if (!path || rank == 1)
        return read_given(path, desc, tensor_path, array);
    if (read_array(path, array) != 0)
        return -1;
    if (array->rank == rank && array->shape[0] == shape[0] && array->shape[1] == shape[1])
        return 0;
    complain("'%s' has shape %s; expected %s, a vector for each group of samples of '%s'", path,
             npy_shape_text(array->rank, array->shape, text), npy_shape_text(rank, shape, expected), tensor_path);
    return -1;
}

uint64_t mask_words(uint64_t elements)
{
    return elements / 32 + (elements % 32 != 0);
}

int read_mask(const char *path, const struct npy_array *tensor, const char *tensor_path, struct npy_array *array)
{
    char text[NPY_SHAPE_BYTES];

    if (!path)
        return 0;
    if (read_kind(path, NPY_WORDS, array) != 0)
        return -1;
    if (array->rank == 1 && array->count == mask_words(tensor->count))
        return 0;
    complain("'%s' has shape %s; expected (%llu,), a mask's word for each 32 values of '%s'", path,
             npy_shape_text(array->rank, array->shape, text), (unsigned long long)mask_words(tensor->count),
             tensor_path);
    return -1;
}

clnorm_buffer upload_array(struct session *session, const struct npy_array *array)
{
    const void *data = npy_data(array);
    clnorm_buffer none = {NULL, 0};

    return data ? session_tensor(session, tensor_type(array->type), data, array->count) : none;
}

/* ---- outputs -------------------------------------------------------------------------------------------------- */

void add_output(struct outputs *outputs, const char *option, const char *path)
{
    if (!path)
        return;
    outputs->options[outputs->count] = option;
    outputs->files[outputs->count++].path = path;
}

int check_distinct_outputs(const struct outputs *outputs)
{
    const char *paths[MAX_OUTPUTS];

    for (size_t i = 0; i < outputs->count; i++)
        paths[i] = outputs->files[i].path;
    return options_files_differ(outputs->options, paths, 0, outputs->count);
}

int check_outputs(const struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        if (whole_file_check(outputs->options[i], outputs->files[i].path) != STATUS_DONE)
            return -1;
    return 0;
}

void set_output(struct outputs *outputs, const char *option, enum npy_type type, unsigned rank, const uint64_t *shape,
                clnorm_buffer buffer)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (strcmp(outputs->options[i], option) != 0)
            continue;
        outputs->files[i].type = type;
        outputs->files[i].rank = rank;
        memcpy(outputs->files[i].shape, shape, rank * sizeof(shape[0]));
        outputs->buffers[i] = buffer;
    }
}

int write_outputs(struct session *session, struct outputs *outputs)
{
    struct npy_error error;

    for (size_t i = 0; i < outputs->count && !session->is_failed; i++) {
        struct npy_output *file = &outputs->files[i];
        size_t size = npy_type_bytes(file->type);
        uint64_t count = 1;

        for (unsigned axis = 0; axis < file->rank; axis++)
            count *= file->shape[axis];
        outputs->values[i] = malloc(count ? (size_t)count * size : 1);
        if (!outputs->values[i]) {
            complain("out of memory for the %llu values of '%s'", (unsigned long long)count, file->path);
            return -1;
        }
        session_download_sized(session, outputs->buffers[i], size, outputs->values[i], count);
        file->others = outputs->values[i];
    }
    if (session->is_failed)
        return -1;
    show_progress("writing");
    if (npy_write_all(outputs->files, outputs->count, &error) != 0) {
        complain("%s", error.text);
        return -1;
    }
    clear_progress();
    return 0;
}

void free_outputs(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++)
        free(outputs->values[i]);
}
