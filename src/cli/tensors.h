/* SPDX-License-Identifier: Apache-2.0 */
/* Files as tensors and vectors. Functions return 0, or -1 after a message that names the file and what was expected. */
#ifndef CLNORM_CLI_TENSORS_H
#define CLNORM_CLI_TENSORS_H

#include "clnorm.h"
#include "cli/files/npy.h"

/* What forward and backward are told alike. */
struct tensor_options {
    int layout; /* enum clnorm_layout */
    float epsilon;
    int is_bfloat16; /* what files of 16-bit words hold */
    clnorm_activation activation;
    uint64_t group_samples;  /* 0: all */
    uint64_t group_channels; /* 0: each by itself */
};

/* Groups of samples that a description has. */
uint64_t sample_groups(const clnorm_desc *desc);

/* Values of statistics, of a group of samples: one for each channel or group of channels. */
uint64_t statistics_count(const clnorm_desc *desc);

/* The shape of batch statistics: (count,), or with groups of samples (groups, count). Returns the rank. */
unsigned statistics_shape(const clnorm_desc *desc, uint64_t shape[2]);

/* A file of any shape, of float32. */
int read_array(const char *path, struct npy_array *array);

/* A file of 2 to 5 axes, of any tensor's type, and its description. */
int read_tensor(const char *path, const struct tensor_options *options, struct npy_array *array, clnorm_desc *desc);

/* A file of the same type and shape as like, which came from like_path; path NULL leaves array empty. */
int read_same_shape(const char *path, const struct npy_array *like, const char *like_path, struct npy_array *array);

/* A vector of count values, one for each `each` of what `of` names, `where`; path NULL leaves array empty. */
int read_values(const char *path, uint64_t count, const char *each, const char *of, const char *where,
                struct npy_array *array);

/* A vector with a value for each channel of the tensor from tensor_path; path NULL leaves array empty. */
int read_vector(const char *path, const clnorm_desc *desc, const char *tensor_path, struct npy_array *array);

/* Given statistics, which know no groups of samples; path NULL leaves array empty. */
int read_given(const char *path, const clnorm_desc *desc, const char *tensor_path, struct npy_array *array);

/* Batch statistics of the tensor from tensor_path, of the shape above; path NULL leaves array empty. */
int read_statistics(const char *path, const clnorm_desc *desc, const char *tensor_path, struct npy_array *array);

/* The mask of a tensor; path NULL leaves array empty. */
int read_mask(const char *path, const struct npy_array *tensor, const char *tensor_path, struct npy_array *array);

/* Words of the mask of so many elements. */
uint64_t mask_words(uint64_t elements);

struct session;

/* The array on the device; no buffer when no file was given. */
clnorm_buffer upload_array(struct session *session, const struct npy_array *array);

/* The outputs of a command: option, path, and the values once they are there. */
enum { MAX_OUTPUTS = 8 };
struct outputs {
    struct npy_output files[MAX_OUTPUTS];
    const char *options[MAX_OUTPUTS];
    clnorm_buffer buffers[MAX_OUTPUTS];
    void *values[MAX_OUTPUTS];
    size_t count;
};

/* Adds an output unless path is NULL. */
void add_output(struct outputs *outputs, const char *option, const char *path);

/* Two outputs of one name are wrong usage: returns -1 after a message. */
int check_distinct_outputs(const struct outputs *outputs);

/* Whether all outputs can be written, before work is spent on them. */
int check_outputs(const struct outputs *outputs);

/* Sets the type, the shape and the device buffer of the output that belongs to an option, if it was asked for. */
void set_output(struct outputs *outputs, const char *option, enum npy_type type, unsigned rank, const uint64_t *shape,
                clnorm_buffer buffer);

/* Takes the values of all outputs from the device and writes the files, all or none. */
int write_outputs(struct session *session, struct outputs *outputs);
void free_outputs(struct outputs *outputs);

#endif
