/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX's own vectors for BatchNormalization, InstanceNormalization and LayerNormalization (its backend node tests), through the public
 * API, on the device that clnorm_find_device(NULL, ...) finds. The vectors of the first two are channels-first; each case of theirs is run a
 * second time with the tensors transposed to channels-last.
 *
 * The folder is the environment variable ONNX_TESTDATA, or the one the build was told. Exit status 77 (skipped) when it
 * is missing.
 */
#include "fixture/suite.h"
#include "clnorm.h"
#include "onnx.pb-c.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef ONNX_TESTDATA
#define ONNX_TESTDATA "/usr/share/libonnx-testdata/data/node"
#endif

/*
 * ONNX made the expected values with NumPy in binary32. Its forward is four rounded operations on values below 10, and
 * its mean and variance are sums of 40 such values: it may be off by a few units in the last place of the largest term
 * (6e-8 relative each), after a cancellation in y also by about 1e-6 absolute. CLNorm's own error is far below that, so
 * anything outside these bounds is a wrong formula and not a rounding.
 */
static const double relative_tolerance = 2e-6;
static const double absolute_tolerance = 1e-6;

enum { MAX_TENSORS = 5 };

/* In ONNX's order: X, scale, B, mean, var and Y, running_mean, running_var. */
enum { IN_X, IN_SCALE, IN_BIAS, IN_MEAN, IN_VARIANCE };
enum { OUT_Y, OUT_MEAN, OUT_VARIANCE };

static const char *const cases[] = {
    "test_batchnorm_example",
    "test_batchnorm_epsilon",
    "test_batchnorm_example_training_mode",
    "test_batchnorm_epsilon_training_mode",
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0], LAYOUT_COUNT = 2 };

/* Their tensors: X, scale, B and Y. */
static const char *const instance_cases[] = {"test_instancenorm_example", "test_instancenorm_epsilon"};
enum { INSTANCE_COUNT = sizeof instance_cases / sizeof instance_cases[0] };

/* X, scale, B and Y, mean, 1 / deviation. */
static const char *const layer_cases[] = {
    "test_layer_normalization_2d_axis0",           "test_layer_normalization_2d_axis1",
    "test_layer_normalization_2d_axis_negative_1", "test_layer_normalization_3d_axis0_epsilon",
    "test_layer_normalization_3d_axis1_epsilon",   "test_layer_normalization_3d_axis2_epsilon",
    "test_layer_normalization_4d_axis0",           "test_layer_normalization_4d_axis1",
    "test_layer_normalization_4d_axis2",           "test_layer_normalization_4d_axis3",
    "test_layer_normalization_4d_axis_negative_2", "test_layer_normalization_default_axis"};
enum { LAYER_COUNT = sizeof layer_cases / sizeof layer_cases[0], OUT_INVSTD = 2 };

struct tensor {
    uint64_t sizes[5];
    unsigned rank;
    size_t count;
    float *data;
};

struct attributes {
    float epsilon, momentum;
    int training;
    int axis; /* of LayerNormalization: the first that is normalized over; below 0, from the last one back */
};

struct node_case {
    struct attributes attributes;
    struct tensor in[MAX_TENSORS], out[MAX_TENSORS];
};

static clnorm_device_info device;
static clnorm_context *context;
static cl_context cl;
static cl_command_queue queue;

static const char *data_folder(void)
{
    const char *folder = getenv("ONNX_TESTDATA");
    return folder && *folder ? folder : ONNX_TESTDATA;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    size_t capacity = (size_t)1 << 20;
    uint8_t *bytes = malloc(capacity);
    ck_assert_ptr_nonnull(bytes);
    *size = fread(bytes, 1, capacity, file);
    ck_assert_msg(!ferror(file) && *size > 0 && *size < capacity, "%s: unreadable, empty or over 1 MiB", path);
    fclose(file);
    return bytes;
}

/* Takes the values out of whichever of the two fields holds them: both are legal, and raw_data is little-endian. */
static void copy_values(const Onnx__TensorProto *proto, struct tensor *tensor, const char *path)
{
    if (!proto->has_raw_data) {
        ck_assert_msg(proto->n_float_data == tensor->count, "%s: wrong number of values", path);
        memcpy(tensor->data, proto->float_data, tensor->count * sizeof(float));
        return;
    }
    ck_assert_msg(proto->raw_data.len == tensor->count * sizeof(float), "%s: wrong number of bytes", path);
    for (size_t i = 0; i < tensor->count; i++) {
        const uint8_t *b = proto->raw_data.data + 4 * i;
        uint32_t bits = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&tensor->data[i], &bits, sizeof bits);
    }
}

static void read_tensor(const char *path, struct tensor *tensor)
{
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    Onnx__TensorProto *proto = onnx__tensor_proto__unpack(NULL, size, bytes);
    ck_assert_msg(proto != NULL, "%s is not a TensorProto", path);
    ck_assert_msg(proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, "%s is not float", path);
    ck_assert_msg(proto->n_dims >= 1 && proto->n_dims <= 5, "%s: rank is not 1 to 5", path);
    tensor->rank = (unsigned)proto->n_dims;
    tensor->count = 1;
    for (unsigned i = 0; i < tensor->rank; i++) {
        ck_assert_msg(proto->dims[i] > 0, "%s: a size is not positive", path);
        tensor->sizes[i] = (uint64_t)proto->dims[i];
        tensor->count *= (size_t)proto->dims[i];
    }
    tensor->data = malloc(tensor->count * sizeof(float));
    ck_assert_ptr_nonnull(tensor->data);
    copy_values(proto, tensor, path);
    onnx__tensor_proto__free_unpacked(proto, NULL);
    free(bytes);
}

static struct attributes read_attributes(const char *path, const char *type)
{
    struct attributes attributes = {
        .epsilon = 1e-5f, .momentum = 0.9f, .training = 0, .axis = -1}; /* ONNX's defaults */
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, bytes);
    ck_assert_msg(model != NULL, "%s is not a ModelProto", path);
    ck_assert_msg(model->graph && model->graph->n_node == 1, "%s: not a graph of one node", path);
    const Onnx__NodeProto *node = model->graph->node[0];
    ck_assert_str_eq(node->op_type, type);
    for (size_t i = 0; i < node->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->attribute[i];
        if (strcmp(attribute->name, "epsilon") == 0)
            attributes.epsilon = attribute->f;
        else if (strcmp(attribute->name, "momentum") == 0)
            attributes.momentum = attribute->f;
        else if (strcmp(attribute->name, "training_mode") == 0)
            attributes.training = attribute->i != 0;
        else if (strcmp(attribute->name, "axis") == 0)
            attributes.axis = (int)attribute->i;
        else
            ck_abort_msg("%s: unknown attribute %s", path, attribute->name);
    }
    onnx__model_proto__free_unpacked(model, NULL);
    free(bytes);
    return attributes;
}

static void read_node(const char *name, const char *type, struct node_case *node)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/model.onnx", data_folder(), name);
    node->attributes = read_attributes(path, type);
}

static void read_tensors(const char *name, int in, int out, struct node_case *node)
{
    char path[1024];
    for (int i = 0; i < in; i++) {
        snprintf(path, sizeof path, "%s/%s/test_data_set_0/input_%d.pb", data_folder(), name, i);
        read_tensor(path, &node->in[i]);
    }
    for (int i = 0; i < out; i++) {
        snprintf(path, sizeof path, "%s/%s/test_data_set_0/output_%d.pb", data_folder(), name, i);
        read_tensor(path, &node->out[i]);
    }
    ck_assert_uint_eq(node->out[OUT_Y].count, node->in[IN_X].count);
}

static void read_case(const char *name, struct node_case *node)
{
    read_node(name, "BatchNormalization", node);
    read_tensors(name, 5, node->attributes.training ? 3 : 1, node);
    const struct tensor *x = &node->in[IN_X];
    ck_assert_uint_ge(x->rank, 2);
    for (int i = IN_SCALE; i <= IN_VARIANCE; i++)
        ck_assert_uint_eq(node->in[i].count, x->sizes[1]);
    for (int i = OUT_MEAN; node->attributes.training && i <= OUT_VARIANCE; i++)
        ck_assert_uint_eq(node->out[i].count, x->sizes[1]);
}

static void free_case(struct node_case *node)
{
    for (int i = 0; i < MAX_TENSORS; i++) {
        free(node->in[i].data);
        free(node->out[i].data);
    }
}

/* Moves the channels of a channels-first tensor last: the values stay with their element. */
static void make_channels_last(struct tensor *tensor)
{
    size_t n = tensor->sizes[0], c = tensor->sizes[1], s = tensor->count / (n * c);
    float *moved = malloc(tensor->count * sizeof(float));
    ck_assert_ptr_nonnull(moved);
    for (size_t in = 0; in < n; in++)
        for (size_t ic = 0; ic < c; ic++)
            for (size_t is = 0; is < s; is++)
                moved[(in * s + is) * c + ic] = tensor->data[(in * c + ic) * s + is];
    free(tensor->data);
    tensor->data = moved;
    for (unsigned i = 1; i + 1 < tensor->rank; i++)
        tensor->sizes[i] = tensor->sizes[i + 1];
    tensor->sizes[tensor->rank - 1] = c;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static cl_mem buffer_of(const struct tensor *tensor)
{
    cl_int status;
    cl_mem mem = clCreateBuffer(cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, tensor->count * sizeof(float),
                                tensor->data, &status);
    ck_assert_int_eq(status, CL_SUCCESS);
    return mem;
}

static cl_mem empty_buffer(size_t bytes)
{
    cl_int status;
    cl_mem mem = clCreateBuffer(cl, CL_MEM_READ_WRITE, bytes ? bytes : 4, NULL, &status);
    ck_assert_int_eq(status, CL_SUCCESS);
    return mem;
}

static void check_values(cl_mem mem, const struct tensor *expected, const char *name, const char *what)
{
    float *got = malloc(expected->count * sizeof(float));
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, expected->count * sizeof(float), got, 0, NULL, NULL),
                     CL_SUCCESS);
    for (size_t i = 0; i < expected->count; i++) {
        double want = expected->data[i], error = fabs(got[i] - want);
        /* Written so that a NaN fails. */
        ck_assert_msg(error <= absolute_tolerance + relative_tolerance * fabs(want),
                      "%s: %s[%zu] is %.9g, ONNX says %.9g, off by %.3g", name, what, i, got[i], want, error);
    }
    free(got);
}

static cl_mem make_workspace(enum clnorm_operation operation, const clnorm_desc *desc)
{
    size_t bytes;
    ck_assert_int_eq(clnorm_get_workspace_bytes(context, operation, desc, &bytes), CLNORM_SUCCESS);
    return empty_buffer(bytes);
}

static void run_training(const struct node_case *node, const clnorm_desc *desc, const cl_mem *in, cl_mem dst)
{
    cl_mem workspace = make_workspace(CLNORM_FORWARD_TRAINING, desc);
    clnorm_forward_training_args args = {0};
    args.src.mem = in[IN_X];
    args.dst.mem = dst;
    args.scale.mem = in[IN_SCALE];
    args.shift.mem = in[IN_BIAS];
    args.running_mean.mem = in[IN_MEAN];
    args.running_variance.mem = in[IN_VARIANCE];
    args.workspace.mem = workspace;
    args.momentum = 1.0f - node->attributes.momentum; /* ONNX's momentum is the share of the old value */
    args.running_flags = CLNORM_RUNNING_BIASED;       /* ONNX: population variance */
    ck_assert_int_eq(clnorm_forward_training(context, queue, desc, &args, 0, NULL, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clFinish(queue), CL_SUCCESS);
    clReleaseMemObject(workspace);
}

static void run_inference(const clnorm_desc *desc, const cl_mem *in, cl_mem dst)
{
    cl_mem workspace = make_workspace(CLNORM_FORWARD_INFERENCE, desc);
    clnorm_forward_inference_args args = {0};
    args.src.mem = in[IN_X];
    args.dst.mem = dst;
    args.scale.mem = in[IN_SCALE];
    args.shift.mem = in[IN_BIAS];
    args.mean.mem = in[IN_MEAN];
    args.variance.mem = in[IN_VARIANCE];
    args.workspace.mem = workspace;
    ck_assert_int_eq(clnorm_forward_inference(context, queue, desc, &args, 0, NULL, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clFinish(queue), CL_SUCCESS);
    clReleaseMemObject(workspace);
}

static void run_case(const char *name, const struct node_case *node, enum clnorm_layout layout)
{
    const struct tensor *x = &node->in[IN_X];
    clnorm_desc desc;
    ck_assert_int_eq(clnorm_describe(layout, x->rank, x->sizes, &desc), CLNORM_SUCCESS);
    desc.epsilon = node->attributes.epsilon;

    cl_mem in[5], dst = empty_buffer(x->count * sizeof(float));
    for (int i = 0; i < 5; i++)
        in[i] = buffer_of(&node->in[i]);
    if (node->attributes.training)
        run_training(node, &desc, in, dst);
    else
        run_inference(&desc, in, dst);

    check_values(dst, &node->out[OUT_Y], name, "Y");
    if (node->attributes.training) {
        check_values(in[IN_MEAN], &node->out[OUT_MEAN], name, "running_mean");
        check_values(in[IN_VARIANCE], &node->out[OUT_VARIANCE], name, "running_var");
    }
    clReleaseMemObject(dst);
    for (int i = 0; i < 5; i++)
        clReleaseMemObject(in[i]);
}

START_TEST(test_node)
{
    const char *name = cases[_i / LAYOUT_COUNT];
    enum clnorm_layout layout = _i % LAYOUT_COUNT ? CLNORM_CHANNELS_LAST : CLNORM_CHANNELS_FIRST;
    struct node_case node = {0};
    read_case(name, &node);
    if (layout == CLNORM_CHANNELS_LAST) {
        make_channels_last(&node.in[IN_X]);
        make_channels_last(&node.out[OUT_Y]);
    }
    run_case(name, &node, layout);
    free_case(&node);
}
END_TEST

/* Statistics of the sample's own: dst, and where they are given mean and invstd. */
static void run_groups(const char *name, const struct node_case *node, const clnorm_desc *desc, int has_statistics)
{
    cl_mem src = buffer_of(&node->in[IN_X]), scale = buffer_of(&node->in[IN_SCALE]);
    cl_mem shift = buffer_of(&node->in[IN_BIAS]), workspace = make_workspace(CLNORM_FORWARD_TRAINING, desc);
    cl_mem mean = has_statistics ? empty_buffer(node->out[OUT_MEAN].count * sizeof(float)) : NULL;
    cl_mem invstd = has_statistics ? empty_buffer(node->out[OUT_INVSTD].count * sizeof(float)) : NULL;
    clnorm_forward_training_args args = {0};
    args.src.mem = args.dst.mem = src;
    args.scale.mem = scale;
    args.shift.mem = shift;
    args.save_mean.mem = mean;
    args.save_invstd.mem = invstd;
    args.workspace.mem = workspace;
    ck_assert_int_eq(clnorm_forward_training(context, queue, desc, &args, 0, NULL, NULL), CLNORM_SUCCESS);
    check_values(src, &node->out[OUT_Y], name, "Y");
    if (has_statistics) {
        check_values(mean, &node->out[OUT_MEAN], name, "Mean");
        check_values(invstd, &node->out[OUT_INVSTD], name, "InvStdDev");
        clReleaseMemObject(mean);
        clReleaseMemObject(invstd);
    }
    clReleaseMemObject(src);
    clReleaseMemObject(scale);
    clReleaseMemObject(shift);
    clReleaseMemObject(workspace);
}

START_TEST(test_instance)
{
    const char *name = instance_cases[_i / LAYOUT_COUNT];
    enum clnorm_layout layout = _i % LAYOUT_COUNT ? CLNORM_CHANNELS_LAST : CLNORM_CHANNELS_FIRST;
    struct node_case node = {0};
    clnorm_desc desc;
    read_node(name, "InstanceNormalization", &node);
    read_tensors(name, 3, 1, &node);
    if (layout == CLNORM_CHANNELS_LAST) {
        make_channels_last(&node.in[IN_X]);
        make_channels_last(&node.out[OUT_Y]);
    }
    ck_assert_int_eq(clnorm_describe(layout, node.in[IN_X].rank, node.in[IN_X].sizes, &desc), CLNORM_SUCCESS);
    desc.epsilon = node.attributes.epsilon;
    desc.group_samples = 1;
    run_groups(name, &node, &desc, 0);
    free_case(&node);
}
END_TEST

/* What is normalized over are channels, all in one group; what is before it, samples. */
START_TEST(test_layer)
{
    struct node_case node = {0};
    uint64_t sizes[2] = {1, 1};
    clnorm_desc desc;
    read_node(layer_cases[_i], "LayerNormalization", &node);
    read_tensors(layer_cases[_i], 3, 3, &node);
    const struct tensor *x = &node.in[IN_X];
    const int axis = node.attributes.axis < 0 ? node.attributes.axis + (int)x->rank : node.attributes.axis;
    for (unsigned i = 0; i < x->rank; i++)
        sizes[(int)i >= axis] *= x->sizes[i];
    ck_assert_uint_eq(node.in[IN_SCALE].count, sizes[1]);
    ck_assert_uint_eq(node.in[IN_BIAS].count, sizes[1]);
    ck_assert_uint_eq(node.out[OUT_MEAN].count, sizes[0]);
    ck_assert_uint_eq(node.out[OUT_INVSTD].count, sizes[0]);
    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_LAST, 2, sizes, &desc), CLNORM_SUCCESS);
    desc.epsilon = node.attributes.epsilon;
    desc.group_samples = 1;
    desc.group_channels = desc.c;
    run_groups(layer_cases[_i], &node, &desc, 1);
    free_case(&node);
}
END_TEST

/* ---- set-up ---------------------------------------------------------------------------------------------------- */

static void open_device(void)
{
    cl_int status;
    ck_assert_int_eq(clnorm_find_device(NULL, &device, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_create_context(NULL, device.device, NULL, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_cl_context(context, &cl), CLNORM_SUCCESS);
    queue = clCreateCommandQueue(cl, device.device, 0, &status);
    ck_assert_int_eq(status, CL_SUCCESS);
}

static void close_device(void)
{
    clReleaseCommandQueue(queue);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
}

int main(void)
{
    struct stat folder;
    if (stat(data_folder(), &folder) != 0 || !S_ISDIR(folder.st_mode)) {
        printf("skipped: no ONNX test data in %s (Debian: libonnx-testdata; or set ONNX_TESTDATA)\n", data_folder());
        return 77;
    }

    Suite *suite = suite_create("onnx");
    TCase *nodes = tcase_create("nodes");
    tcase_add_unchecked_fixture(nodes, open_device, close_device);
    tcase_add_loop_test(nodes, test_node, 0, CASE_COUNT * LAYOUT_COUNT);
    tcase_add_loop_test(nodes, test_instance, 0, INSTANCE_COUNT * LAYOUT_COUNT);
    tcase_add_loop_test(nodes, test_layer, 0, LAYER_COUNT);
    tcase_set_timeout(nodes, 300); /* a first run compiles kernels */
    suite_add_tcase(suite, nodes);

    return suite_run(suite);
}
