/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLNorm: batch normalization for every OpenCL device.
 *
 * This header is the manual. It is plain C99 and may be included from C++.
 *
 * What it computes
 * ----------------
 * For each channel (feature) c, over the M = n * s values that the mini-batch holds for it (Ioffe and Szegedy, "Batch
 * Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", 2015, Algorithm 1):
 *
 *   mean     = sum(src) / M
 *   variance = sum((src - mean)^2) / M                    the biased (population) variance
 *   invstd   = 1 / sqrt(variance + epsilon)
 *   dst      = (src - mean) * invstd * scale + shift
 *
 * Forward training takes mean and variance from the batch and may update running statistics; forward inference is given
 * them. The gradients are those of the same paper, section 3:
 *
 *   diff_shift = sum(diff_dst)
 *   diff_scale = sum(diff_dst * (src - mean)) * invstd
 *   diff_src   = scale * invstd * (diff_dst - diff_shift / M - (src - mean) * invstd * diff_scale / M)   batch statistics
 *   diff_src   = scale * invstd * diff_dst                                                             frozen statistics
 *
 * Batch statistics may be those of groups of group_samples consecutive samples, each group as if it were all of the batch: 1 is instance
 * normalization, others are called ghost batch normalization. The last group may have fewer. save_mean and its like then hold
 * ceil(n / group_samples) vectors of c, running statistics take the groups one after another, and diff_scale and diff_shift are the sums
 * of theirs. Inference and frozen statistics know no groups of samples.
 *
 * Statistics may be those of group_channels neighbouring channels together, with M = n * s * group_channels; scale and shift remain one for
 * each channel. With group_samples 1 this is group normalization (Wu and He, "Group Normalization", 2018), of all channels layer
 * normalization over channels and positions. Vectors of statistics, running ones as well, then have c / group_channels elements, and
 *
 *   diff_src   = invstd * (g - sum(g) / M - (src - mean) * invstd^2 * sum(g * (src - mean)) / M)      g = scale * diff_dst, sums of the group
 *
 * A residual and an activation may be part of the last step, forward and backward, in the same pass over memory:
 *
 *   dst        = activation((src - mean) * invstd * scale + shift + residual)       see clnorm_activation below
 *
 * Then diff_dst in the gradients above is the gradient before the activation, which is diff_residual as well.
 *
 * All arithmetic follows a numerical contract (kernels/README.md): the same input gives the same bits on every device
 * that clnorm_device_info reports as CLNORM_BITS_SAME, whatever the driver, work-group size or kernel variant. NaNs are
 * equal to each other in this promise: their sign and payload are the device's.
 *
 * Shapes
 * ------
 * A tensor is seen as n samples, c channels and s positions a sample (s is the product of the spatial sizes, 1 for a
 * matrix), dense, of one of two layouts:
 *
 *   CLNORM_CHANNELS_FIRST   element (n, c, s) at (n * C + c) * S + s       NC, NCW, NCHW, NCDHW
 *   CLNORM_CHANNELS_LAST    element (n, c, s) at (n * S + s) * C + c       NC, NWC, NHWC, NDHWC
 *
 * With s = 1 the two are the same memory and give the same bits. Normalizing every activation of a sample on its own is
 * the case {n, c * s, 1}.
 * A tensor may also be a part of a larger one, or lie in any other regular way: see clnorm_strides.
 * Parameters and running statistics are vectors of c elements, and so are batch statistics, but for groups.
 *
 * Units and types
 * ---------------
 * Sizes and offsets count elements unless their name ends in _bytes. Parameters, statistics and their gradients are IEEE 754 binary32.
 * Tensors (src, dst, residual and their gradients) are of the description's type: binary32, binary16 or bfloat16. Those of 16 bits are
 * how tensors are stored, and no more: they are widened exactly when they are read, all arithmetic is binary32's, and results are rounded
 * once, to nearest even, when they are written. Beyond 65504 a binary16 becomes infinite. No extension of the device is needed.
 *
 * What numbers may be
 * -------------------
 * Batch statistics are right for finite values up to 1.7e38 and standard deviations from 2^-126 to 2^126, with epsilon = 0 as
 * well; a constant channel gives dst = shift. scale * invstd is one binary32: beyond 2^128 dst is infinite or NaN, below 2^-126
 * dst has fewer digits, and so have the gradients, which it multiplies too. A NaN or an infinity makes NaN of its own channel,
 * or group of channels, and of no other.
 *
 * A batch on several devices has statistics of its own: see clnorm_parts.h.
 *
 * Others' conventions
 * -------------------
 *   PyTorch   momentum as here; the running variance is unbiased, as by default here
 *   Keras     momentum is 1 minus the one here (0.99 there is 0.01), epsilon is 1e-3 by default, the moving variance is biased
 *   ONNX      momentum is 1 minus the one here, the running variance is biased
 *   Caffe     blobs 0 and 1 are sums: mean and variance are these by blob 2; scale and shift are a layer of their own
 *   Darknet   its CPU code divides by sqrt(variance) + 1e-6: pass epsilon = 0 and (sqrt(variance) + 1e-6)^2 as the variance
 * Where a file holds the deviation, or 1 / deviation, in the place of the variance, square it, or invert and square it, first.
 *
 * Later versions
 * --------------
 * Structs may grow at their end: a program that zeroes them first and is compiled again means the same, as zeroed members keep
 * their meaning. What a compiled program would notice, as that is, moves the soname. Enums and statuses may grow.
 *
 * Who owns what
 * -------------
 * The caller owns the queue, the buffers, the workspace and the events. A call checks its arguments, enqueues kernels on
 * the caller's queue and returns: it does not wait, does not allocate device memory and prints nothing. The first call
 * that needs a kernel on a context compiles it, or loads it from the disk cache, and so takes longer.
 * A clnorm_context may be used by several threads at the same time; releasing it must be the last use.
 * On Intel's GPUs a buffer beyond 4 GB must be made with CL_MEM_ALLOW_UNRESTRICTED_SIZE_INTEL; the kernels are compiled for it.
 *
 * Errors
 * ------
 * Every function returns CLNORM_SUCCESS or a negative status: OpenCL's own codes unchanged, CLNorm's from -3000 down.
 * A call that fails its checks has enqueued nothing and written nothing. The log callback gets a sentence that says what
 * was wrong and what would be right.
 */
#ifndef CLNORM_H
#define CLNORM_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#if defined(__APPLE__)
#include <OpenCL/cl.h>
#else
#include <CL/cl.h>
#endif
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define CLNORM_VERSION_MAJOR 0
#define CLNORM_VERSION_MINOR 1
#define CLNORM_VERSION_PATCH 0
/* Version of the numerical contract: results may differ between two contract versions, and only then. */
#define CLNORM_CONTRACT_VERSION 2

#if defined(__GNUC__) && !defined(_WIN32)
#define CLNORM_API __attribute__((visibility("default")))
#else
#define CLNORM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- statuses ------------------------------------------------------------------------------------------------- */

/* X(name, value, text); clnorm_status_string gives the text. */
#define CLNORM_STATUSES(X)                                                                                             \
    X(CLNORM_SUCCESS, 0, "success")                                                                                    \
    X(CLNORM_INVALID_CONTEXT, -3000, "the clnorm_context is NULL (never made, or released)")                           \
    X(CLNORM_INVALID_ARGUMENT, -3001, "a required pointer argument is NULL")                                           \
    X(CLNORM_INVALID_RANK, -3002, "the rank of a tensor is not 2 to 5")                                                \
    X(CLNORM_INVALID_SIZE, -3003, "a size that must be positive is 0")                                                 \
    X(CLNORM_SIZE_OVERFLOW, -3004, "the sizes of a tensor overflow what can be addressed")                             \
    X(CLNORM_INVALID_ENUM, -3005, "a layout, type, flag or operation is unknown")                                      \
    X(CLNORM_INVALID_EPSILON, -3006, "epsilon is not a finite number >= 0")                                            \
    X(CLNORM_INVALID_MOMENTUM, -3007, "momentum is not in [0, 1]")                                                     \
    X(CLNORM_MISSING_BUFFER, -3008, "a buffer that the operation needs is NULL")                                       \
    X(CLNORM_INVALID_BUFFER, -3009, "a cl_mem is not a usable buffer")                                                 \
    X(CLNORM_BUFFER_TOO_SMALL, -3010, "a buffer is too small for its offset and shape")                                \
    X(CLNORM_BUFFER_OVERLAP, -3011, "two buffers overlap, one is written, and they are not the allowed exact alias")   \
    X(CLNORM_MISSING_WORKSPACE, -3012, "the workspace is NULL")                                                        \
    X(CLNORM_WORKSPACE_TOO_SMALL, -3013, "the workspace is smaller than clnorm_get_workspace_bytes says")              \
    X(CLNORM_INVALID_QUEUE, -3014, "the command queue is NULL or not usable")                                          \
    X(CLNORM_FOREIGN_QUEUE, -3015, "the command queue belongs to another device or cl_context")                        \
    X(CLNORM_FOREIGN_BUFFER, -3016, "a buffer belongs to another cl_context")                                          \
    X(CLNORM_INVALID_DEVICE, -3017, "the device is not one of the cl_context's devices")                               \
    X(CLNORM_NO_DEVICE, -3018, "no OpenCL device fits")                                                                \
    X(CLNORM_OUT_OF_MEMORY, -3019, "out of host memory")                                                               \
    X(CLNORM_KERNEL_FILE, -3020, "a kernel file cannot be read")                                                       \
    X(CLNORM_KERNEL_BUILD, -3021, "a kernel file does not compile")                                                    \
    X(CLNORM_NO_VARIANT, -3022, "no kernel variant fits")                                                              \
    X(CLNORM_INTERNAL, -3023, "CLNorm broke a rule of its own; please report it")                                      \
    X(CLNORM_NO_BLAS, -3024, "the library was built without CLBlast, which the block needs")                           \
    X(CLNORM_INVALID_TUNING, -3025, "a tuning has an entry that is unknown or out of range")                           \
    X(CLNORM_NO_CACHE, -3026, "the disk cache is switched off, or its folder cannot be written")                       \
    X(CLNORM_BLAS_SIZE, -3027, "a matrix product is beyond the 2^31 - 1 elements that CLBlast can count")              \
    X(CLNORM_UNEXPECTED_BUFFER, -3028, "a buffer is given that the operation has no use for")                          \
    X(CLNORM_DEVICE_BITS, -3029, "the device does not keep the promise of bits that the context's options demand")     \
    X(CLNORM_INVALID_ACTIVATION, -3030, "an activation's slope is not finite, or its cap not above 0")                 \
    X(CLNORM_UNSUPPORTED_TYPE, -3031, "this call takes tensors of binary32 alone")                                     \
    X(CLNORM_INVALID_GROUP, -3032, "groups are larger than what is to be grouped, or do not divide it")                \
    X(CLNORM_INVALID_STRIDES, -3033, "strides with which elements of a tensor that is written may coincide")           \
    X(CLNORM_INVALID_PARTS, -3034, "a batch cannot be divided into such parts, or a call is not of the part it names") \
    X(CLNORM_NO_MPI, -3035, "MPI is not initialized, or without MPI_THREAD_FUNNELED")                                  \
    X(CLNORM_MPI_FAILED, -3036, "an MPI call failed")                                                                  \
    X(CLNORM_MPI_TIMEOUT, -3037, "other ranks did not come to a call within the time-out")                             \
    X(CLNORM_MPI_MISMATCH, -3038, "ranks made different calls: operation, description, division or contract")          \
    X(CLNORM_MPI_RANK, -3039, "another rank could not make its part of the call")

enum clnorm_status {
#define CLNORM_STATUS_ENUM(name, value, text) name = value,
    CLNORM_STATUSES(CLNORM_STATUS_ENUM)
#undef CLNORM_STATUS_ENUM
};

/* The text of a CLNorm status, or of an OpenCL or CLBlast error code; never NULL. The string is constant and is not freed. */
CLNORM_API const char *clnorm_status_string(int status);

/* The version of the library that runs, "MAJOR.MINOR.PATCH". */
CLNORM_API const char *clnorm_version(void);

/* ---- devices -------------------------------------------------------------------------------------------------- */

enum clnorm_bits {
    CLNORM_BITS_NONE = 0,        /* no round-to-nearest or no correct fma: it computes, and promises no bits */
    CLNORM_BITS_SAME_NORMAL = 1, /* the same bits but for subnormal numbers, which it flushes, and signs of zeros */
    CLNORM_BITS_SAME = 2         /* the same bits on any data */
};

typedef struct clnorm_device_info {
    cl_platform_id platform;
    cl_device_id device;
    cl_device_type type;
    enum clnorm_bits bits;
    char platform_name[128];
    char name[128];
    char driver[128];
} clnorm_device_info;

/*
 * Lists every OpenCL device of every platform, and of each what its driver says of its bits. A context believes a device by
 * arithmetic: see clnorm_get_device. infos may be NULL when capacity is 0. *count is set to the number there
 * are, which may be more than capacity. No device at all is no error: *count is 0.
 */
CLNORM_API int clnorm_list_devices(size_t capacity, clnorm_device_info *infos, size_t *count);

/*
 * Finds a device: selector is a number in the order of clnorm_list_devices, or a part of a device's or platform's name
 * (case is ignored; the first match wins). NULL or "" means the environment variable CLNORM_DEVICE, and if that is not set
 * either, the best device: a GPU before an accelerator before a CPU, and PoCL first among CPUs.
 * Returns CLNORM_NO_DEVICE when nothing matches. *index may be NULL; it gets the device's number.
 */
CLNORM_API int clnorm_find_device(const char *selector, clnorm_device_info *info, size_t *index);

/* ---- contexts ------------------------------------------------------------------------------------------------- */

typedef struct clnorm_context clnorm_context;

enum clnorm_log_level { CLNORM_LOG_ERROR = 0, CLNORM_LOG_WARNING = 1, CLNORM_LOG_INFO = 2, CLNORM_LOG_DEBUG = 3 };

/* message is valid during the call only. It may be called from any thread that uses the context. */
typedef void (*clnorm_log_callback)(void *user, enum clnorm_log_level level, const char *message);

/* Zero every member that is not set: memset or = {0} gives the defaults. */
typedef struct clnorm_context_options {
    clnorm_log_callback log; /* NULL: no messages */
    void *log_user;          /* handed to log */
    /*
     * Folder of compiled programs; made when missing. NULL: the environment variable CLNORM_CACHE_DIR, or
     * $XDG_CACHE_HOME/clnorm, or $HOME/.cache/clnorm. "": no disk cache (so does an empty CLNORM_CACHE_DIR).
     * PoCL keeps compiled programs by itself; there CLNorm stores one when it is compiled for the tenth time.
     */
    const char *cache_dir;
    /*
     * Folder of .cl files that win over the embedded ones, file by file (apply/apply_naive.cl there). NULL: the environment variable
     * CLNORM_KERNEL_DIR, or none. A compiler's warnings about them go to log; some drivers print them as well.
     */
    const char *kernel_dir;
    /*
     * Kernel variants to use, names separated by commas (see clnorm_variant_name); steps of which none is named choose
     * freely. A named variant that does not fit the shape is passed over; if that leaves a step with no variant it chose
     * among, the call returns CLNORM_NO_VARIANT. A variant that the device turns out not to build or to launch gives way to
     * the next, with a warning to log; one that is named does not: the call returns the driver's error. NULL: the environment
     * variable CLNORM_VARIANT, or all.
     */
    const char *variants;
    /*
     * How work is cut: see "tuning" below. NULL: the environment variable CLNORM_TUNING, or else what clnorm_store_tuning has
     * stored for this device. "": the defaults (so does an empty CLNORM_TUNING). Entries that are unknown or out of range are
     * left out, with a warning to log.
     */
    const char *tuning;
    /* A device that keeps less than this promise is refused with CLNORM_DEVICE_BITS. CLNORM_BITS_NONE, 0: no demand. */
    enum clnorm_bits least_bits;
} clnorm_context_options;

/*
 * Makes a context on the caller's cl_context and device. Both are retained. cl may be NULL: then a cl_context is made on
 * device; if device is NULL as well, on the device clnorm_find_device(NULL, ...) finds. With cl given and device NULL, cl
 * must have exactly one device. options may be NULL.
 */
CLNORM_API int clnorm_create_context(cl_context cl, cl_device_id device, const clnorm_context_options *options,
                                     clnorm_context **context);

/*
 * Releases a context and everything it holds, and sets *context to NULL, so that a later use of the variable is refused
 * with CLNORM_INVALID_CONTEXT. Enqueued work may still be running. NULL or a pointer to NULL is refused the same way.
 */
CLNORM_API int clnorm_release_context(clnorm_context **context);

/*
 * The OpenCL objects a context works on; not retained for the caller. The device's bits are the lesser of what its driver says and of
 * what a small kernel shows that tries rounding, fma, contraction, zeros, subnormal numbers and the statistics' tree. It runs when a
 * context is made on a device and driver for the first time; the disk cache keeps what came of it.
 */
CLNORM_API int clnorm_get_cl_context(const clnorm_context *context, cl_context *cl);
CLNORM_API int clnorm_get_device(const clnorm_context *context, clnorm_device_info *info);

/* Name of kernel variant number index, in order of preference; NULL past the last one. */
CLNORM_API const char *clnorm_variant_name(size_t index);

/* The step that variant number index does, "stats" or "apply" for example; NULL past the last one. */
CLNORM_API const char *clnorm_variant_step(size_t index);

/* ---- tuning --------------------------------------------------------------------------------------------------- */

/*
 * How a call cuts its work, and which of several kernel variants it takes, is a matter of speed alone: results have the same
 * bits whatever the tuning. The defaults are meant to be good; `clnorm tune` measures what is better on a device and stores it.
 *
 * A tuning is a text of entries NAME=VALUE with blanks or line ends between them; of two for one name the later one counts.
 *
 *   PARAMETER=NUMBER       one of clnorm_list_parameters, a whole number from its least to its most
 *   STEP.LAYOUT=VARIANT    prefers a variant where it fits; where it does not, the choice is as ever. STEP is the variant's
 *                          (clnorm_variant_step), LAYOUT is channels-first or channels-last.
 *
 *   "fused_items=8 stats.channels-first=stats_cf_group64"
 *
 * Tensors with s = 1 count as channels-last. Variants asked for by name (clnorm_context_options) come before preferences.
 */
typedef struct clnorm_parameter {
    const char *name, *meaning;
    uint64_t least, most;
    uint64_t standard; /* the default on this context's device */
    uint64_t value;    /* in this context */
} clnorm_parameter;

/* Lists the parameters. parameters may be NULL when capacity is 0. *count is set to the number there are. */
CLNORM_API int clnorm_list_parameters(const clnorm_context *context, size_t capacity, clnorm_parameter *parameters,
                                      size_t *count);

/*
 * Stores a tuning for the context's device, driver and this version of the library, in a file of the disk cache, from which
 * contexts made later read it; this one and others that are there stay as they are. NULL or "" takes away what is stored. A text
 * with an entry that is unknown or out of range is refused with CLNORM_INVALID_TUNING. CLNORM_NO_CACHE: there is no disk cache,
 * or the file cannot be written or removed.
 */
CLNORM_API int clnorm_store_tuning(clnorm_context *context, const char *text);

/* The text that a context's tuning was read from, "" for the defaults; NULL for no context. Valid until the context is released. */
CLNORM_API const char *clnorm_get_tuning(const clnorm_context *context);

/* The file's name, whether or not it is there; NULL without a disk cache. It is valid until the context is released. */
CLNORM_API const char *clnorm_get_tuning_file(const clnorm_context *context);

/* ---- descriptions --------------------------------------------------------------------------------------------- */

enum clnorm_layout { CLNORM_CHANNELS_FIRST = 0, CLNORM_CHANNELS_LAST = 1 };
enum clnorm_type { CLNORM_FLOAT32 = 0, CLNORM_FLOAT16 = 1, CLNORM_BFLOAT16 = 2 };

/* Bytes of an element; 0 of an unknown type. */
CLNORM_API size_t clnorm_type_bytes(enum clnorm_type type);

/*
 * What comes after the normalization and the residual:
 *
 *   activation(v) = v * slope     where v <= 0; with slope 0 that is +0
 *                   min(v, cap)   where v > 0
 *
 * and a NaN stays one. slope is finite, cap above 0 and perhaps infinite. Both 0: no activation. The gradient passes where v is
 * between 0 and cap, is multiplied by slope where v <= 0 and becomes 0 where v >= cap, unless that is infinite; where v is a NaN it passes.
 */
typedef struct clnorm_activation {
    float slope, cap;
} clnorm_activation;

#ifdef __cplusplus
#define CLNORM_ACTIVATION(slope, cap) (clnorm_activation{slope, cap})
#else
#define CLNORM_ACTIVATION(slope, cap) ((clnorm_activation){slope, cap})
#endif
#define CLNORM_IDENTITY CLNORM_ACTIVATION(0, 0)
#define CLNORM_RELU CLNORM_ACTIVATION(0, INFINITY)
#define CLNORM_LEAKY_RELU(slope) CLNORM_ACTIVATION(slope, INFINITY)
#define CLNORM_CLIPPED_RELU(cap) CLNORM_ACTIVATION(0, cap) /* of cap 6: ReLU6 */

/* What a tensor looks like and how it is normalized. n may be 0; c and s may not. */
typedef struct clnorm_desc {
    uint64_t n, c, s;
    enum clnorm_layout layout;
    enum clnorm_type type;
    float epsilon; /* added to the variance; finite, >= 0. With variance + epsilon = 0, invstd is 0. */
    clnorm_activation activation;
    uint64_t group_samples; /* batch statistics are those of so many consecutive samples; 0: of all. See above. */
    /*
     * Statistics are those of so many neighbouring channels together, at most CLNORM_MOST_GROUP_CHANNELS, which divide c; 0: of each channel
     * by itself.
     */
    uint64_t group_channels;
} clnorm_desc;
#define CLNORM_MOST_GROUP_CHANNELS 65536

/*
 * Describes a tensor of rank 2 to 5 by its sizes, outermost first: N C ... for channels-first, N ... C for channels-last.
 * epsilon becomes 1e-5, the type binary32, and there are no activation and no groups.
 */
CLNORM_API int clnorm_describe(enum clnorm_layout layout, unsigned rank, const uint64_t *sizes, clnorm_desc *desc);

/*
 * Part of a cl_mem, from element number offset: a tensor's elements are of its type, all others have 4 bytes. mem = NULL means that
 * the buffer is not there.
 */
typedef struct clnorm_buffer {
    cl_mem mem;
    uint64_t offset;
} clnorm_buffer;

/*
 * A tensor that is not dense is a view: element (n, c, s) is at offset + n * strides.n + c * strides.c + s * strides.s, in elements. All 0,
 * as zeroed arguments have them: dense, in the description's layout. Each tensor of a call has strides of its own. The layout still decides
 * the bits: those of the dense tensor with the same elements in the same layout. Masks have one bit an element in the order of the dense
 * tensor.
 *
 *   channels 32 to 63 of 256, channels-first   offset 32 * S, strides {256 * S, S, 1}
 *   the same, channels-last                    offset 32, strides {256 * S, 1, 256}
 *   every second sample                        strides.n = 2 * C * S, the others as if dense
 *   rows of S padded to P                      strides {C * P, P, 1}
 *
 * Where samples (channels-first: C * S elements each) or positions (channels-last: C elements each) are dense in themselves and a fixed
 * distance apart, as in slices along channels and along samples, kernels are those of dense tensors but for their addresses; elsewhere they
 * take one element at a time. The stride of a size that is 1 counts for nothing. A stride may be 0 in a tensor that is read: its elements
 * are read again and again. In one that is written no two elements may coincide: sorted, each stride must be larger than the distance
 * between the first and the last element of what the smaller ones span.
 */
typedef struct clnorm_strides {
    uint64_t n, c, s;
} clnorm_strides;

enum clnorm_operation {
    CLNORM_FORWARD_TRAINING = 0,
    CLNORM_FORWARD_INFERENCE = 1,
    CLNORM_BACKWARD_TRAINING = 2,
    CLNORM_BACKWARD_FROZEN = 3
};

/*
 * Bytes of workspace an operation needs on this context. A workspace may be shared by calls that do not run at the same
 * time; its contents mean nothing between calls. Its offset counts elements of 4 bytes.
 */
CLNORM_API int clnorm_get_workspace_bytes(clnorm_context *context, enum clnorm_operation operation,
                                          const clnorm_desc *desc, size_t *bytes);

/*
 * Builds what calls of an operation on such a tensor need, whichever of its buffers they give but residual and mask, so that none of them
 * waits for a compiler: before a loop, or in a thread of its own. Without it the first call builds. Some drivers compile the rest of the way at a
 * kernel's first launch, PoCL for one; what that makes they keep, as CLNorm keeps its programs.
 */
CLNORM_API int clnorm_prepare(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc);

/* The same of calls with some of what is optional beside the normalization: each has kernels of its own. */
enum clnorm_with {
    CLNORM_WITH_RESIDUAL = 1,     /* backward: its gradient */
    CLNORM_WITH_MASK = 2,         /* in backward calls, instead of dst */
    CLNORM_WITH_ACCUMULATION = 4, /* of diff_src */
    CLNORM_WITH_SLICES = 8, /* views of dense samples or positions (clnorm_strides): all tensors, or those written */
    CLNORM_WITH_VIEWS = 16, /* the same of any views */
    CLNORM_WITH_PARTS =
        32 /* training: the calls of clnorm_parts.h, instead of those of the whole batch; desc is of any part */
};
CLNORM_API int clnorm_prepare_with(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                                   unsigned with);

/*
 * Writes what an operation with all its buffers would launch on this context, one line without its end: each step's variant,
 * work-items and how they share the work. size is that of text; a longer line is cut off. For people and for comparison: equal
 * lines are equal launches, and what stands in them may change with the version.
 */
CLNORM_API int clnorm_describe_launches(clnorm_context *context, enum clnorm_operation operation,
                                        const clnorm_desc *desc, size_t size, char *text);

/* ---- forward training ----------------------------------------------------------------------------------------- */

enum clnorm_running_flags {
    CLNORM_RUNNING_UNBIASED = 0, /* running variance takes variance * M / (M - 1), or variance when M = 1 */
    CLNORM_RUNNING_BIASED = 1    /* running variance takes the biased variance */
};

/*
 * Running statistics move by momentum: new = batch * momentum + old * (1 - momentum). Momentum 0 writes nothing: they stay, whatever
 * the batch holds. Momentum 1 takes the batch's, and does not read the old ones, which may be NaN. So a cumulative average
 * over calls number k = 1, 2, 3, ... is momentum = 1 / k, from any start. (ONNX and Keras call 1 - momentum momentum.)
 * A variance beyond binary32 makes the running variance infinite, from which inference gives dst = shift, and so it stays until
 * momentum 1 replaces it.
 * Required: src, dst, workspace. dst may be the same as src or as residual (same cl_mem, offset and strides); no other overlap is allowed
 * where one of the two is written. Views of one buffer with the same largest stride, as slices along channels are, may lie between each
 * other. With n = 0 nothing is written.
 * The mask is one bit an element, for the backward pass to read in the place of dst, of which it is a 16th or a 32nd: bit i of word w is
 * that of element 32 * w + i in the order of the dense tensor. It is set where 0 < v < cap, or v is a NaN, as binary32, before dst is rounded to its
 * type. Bits behind the last element become 0. It belongs to an activation, and says nothing of one that has both a slope and a cap.
 */
typedef struct clnorm_forward_training_args {
    clnorm_buffer src, dst;                       /* n * c * s */
    clnorm_buffer scale, shift;                   /* c; a missing one counts as all 1, all 0 */
    clnorm_buffer running_mean, running_variance; /* c, read and written; each optional */
    clnorm_buffer save_mean;                      /* c a group, optional: the mean, and what backward needs */
    clnorm_buffer
        save_mean_low; /* c a group, optional: what the binary32 mean lacks, so that backward centres as forward did */
    clnorm_buffer save_invstd;   /* c a group, optional: 1 / sqrt(variance + epsilon), correctly rounded */
    clnorm_buffer save_variance; /* c a group, optional: the biased batch variance; infinite beyond binary32 */
    clnorm_buffer workspace;
    float momentum;         /* in [0, 1]; used when running statistics are given */
    unsigned running_flags; /* enum clnorm_running_flags */
    clnorm_buffer residual; /* n * c * s, optional: added before the activation */
    clnorm_buffer mask;     /* (n * c * s + 31) / 32 words, optional */
    clnorm_strides src_strides, dst_strides, residual_strides;
} clnorm_forward_training_args;

/*
 * Every operation: enqueues on queue (in-order or out-of-order) after the wait list; event, when not NULL, gets an event
 * for the whole call, which the caller releases.
 */
CLNORM_API int clnorm_forward_training(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                       const clnorm_forward_training_args *args, cl_uint wait_count,
                                       const cl_event *wait_list, cl_event *event);

/* ---- forward inference ---------------------------------------------------------------------------------------- */

/*
 * Required: src, dst, mean, variance, workspace. dst may be the same as src or as residual. A channel with variance + epsilon = 0 or an infinite
 * variance gives dst = shift, one with variance + epsilon below 0 NaN; variances are not checked, and a negative one that epsilon lifts
 * above 0 counts as what it is. From save_mean and save_variance it does not give forward training's bits: that one
 * centres with save_mean_low as well, which counts where the mean is large beside the deviation.
 */
typedef struct clnorm_forward_inference_args {
    clnorm_buffer src, dst;       /* n * c * s */
    clnorm_buffer scale, shift;   /* c; optional */
    clnorm_buffer mean, variance; /* c, read */
    clnorm_buffer workspace;
    clnorm_buffer residual; /* n * c * s, optional */
    clnorm_strides src_strides, dst_strides, residual_strides;
} clnorm_forward_inference_args;

CLNORM_API int clnorm_forward_inference(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                        const clnorm_forward_inference_args *args, cl_uint wait_count,
                                        const cl_event *wait_list, cl_event *event);

/* ---- backward ------------------------------------------------------------------------------------------------- */

/* Gradients to which the call's are added, in binary32 and with one rounding, instead of taking their place. */
enum clnorm_accumulate {
    CLNORM_ACCUMULATE_DIFF_SRC = 1,
    CLNORM_ACCUMULATE_DIFF_SCALE = 2,
    CLNORM_ACCUMULATE_DIFF_SHIFT = 4
};

/*
 * Required: src, diff_dst, save_mean, save_invstd, workspace, and at least one of diff_src, diff_scale, diff_shift; with an
 * activation also mask, or else dst. Where both are given mask counts. From dst, the gradient is decided by what is stored there; that
 * takes a slope that is not below 0. A
 * missing save_mean_low counts as 0: then gradients are as exact as a binary32 mean allows, some percent off at a mean of 1e6
 * and a deviation near 1; keep it where means are large. diff_src may be the same as
 * diff_dst or as src, unless it is accumulated, and diff_residual as diff_dst; diff_residual needs diff_src. With n = 0,
 * diff_scale and diff_shift become 0, or stay where they are accumulated, and nothing else is written.
 */
typedef struct clnorm_backward_training_args {
    clnorm_buffer src, diff_dst;                         /* n * c * s */
    clnorm_buffer scale;                                 /* c; optional: counts as all 1 */
    clnorm_buffer save_mean, save_mean_low, save_invstd; /* c a group, as forward training wrote them */
    clnorm_buffer diff_src;                              /* n * c * s; optional */
    clnorm_buffer diff_scale, diff_shift;                /* c; each optional */
    clnorm_buffer workspace;
    clnorm_buffer mask, dst;     /* as forward training wrote them: one of them, with an activation */
    clnorm_buffer diff_residual; /* n * c * s; optional */
    unsigned accumulate;         /* enum clnorm_accumulate */
    clnorm_strides src_strides, diff_dst_strides, diff_src_strides, dst_strides, diff_residual_strides;
} clnorm_backward_training_args;

CLNORM_API int clnorm_backward_training(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                        const clnorm_backward_training_args *args, cl_uint wait_count,
                                        const cl_event *wait_list, cl_event *event);

/*
 * Backward of forward inference: the statistics are constants. Required: diff_dst, variance, workspace, at least one
 * gradient, and for diff_scale also src and mean; with an activation also mask, or else dst. diff_src may be the same as diff_dst or
 * as src, unless it is accumulated, and diff_residual as diff_dst; diff_residual and accumulate as above.
 */
typedef struct clnorm_backward_frozen_args {
    clnorm_buffer src, diff_dst;          /* n * c * s */
    clnorm_buffer scale;                  /* c; optional */
    clnorm_buffer mean, variance;         /* c, read */
    clnorm_buffer diff_src;               /* n * c * s; optional */
    clnorm_buffer diff_scale, diff_shift; /* c; each optional */
    clnorm_buffer workspace;
    clnorm_buffer mask, dst;     /* one of them, with an activation */
    clnorm_buffer diff_residual; /* n * c * s; optional */
    unsigned accumulate;         /* enum clnorm_accumulate */
    clnorm_strides src_strides, diff_dst_strides, diff_src_strides, dst_strides, diff_residual_strides;
} clnorm_backward_frozen_args;

CLNORM_API int clnorm_backward_frozen(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                      const clnorm_backward_frozen_args *args, cl_uint wait_count,
                                      const cl_event *wait_list, cl_event *event);

/*
 * Folds the normalization of inference into the layer before it, whatever that is: weights of c outputs, `length` of each one behind
 * the other (linear: its inputs; convolution: its input channels times the kernel's size). With
 *
 *   folded_weights = weights * scale * invstd          a factor for each output
 *   folded_bias    = (bias - mean) * scale * invstd + shift
 *
 * the layer alone gives what it and the normalization gave, but for rounding. invstd = 1 / sqrt(variance + epsilon). Required: weights,
 * mean, variance, folded_weights, folded_bias. folded_weights may be the same as weights, and folded_bias as bias. Of desc, c,
 * type and epsilon matter; weights and folded_weights are of the type, all others are binary32.
 */
typedef struct clnorm_fold_args {
    clnorm_buffer weights, bias;                /* c * length; c, optional */
    clnorm_buffer scale, shift, mean, variance; /* c; scale and shift optional */
    clnorm_buffer folded_weights, folded_bias;  /* c * length; c */
} clnorm_fold_args;

CLNORM_API int clnorm_fold(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc, uint64_t length,
                           const clnorm_fold_args *args, cl_uint wait_count, const cl_event *wait_list,
                           cl_event *event);

#ifdef __cplusplus
}
#endif
#endif
