/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/train.h"

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sizes as they stand on the command line. */
struct texts {
    const char *hidden, *conv, *image;
};

static int print_help(const struct option_row *rows)
{
    printf(
        "usage: clnorm train [--in x.npy --labels y.npy] [--out model.npz] [OPTION...]\n"
        "\n"
        "Trains a network to tell classes apart, with batch norm: linear blocks of --hidden outputs each, behind\n"
        "convolution blocks of --conv channels each (3 x 3, pad 1, stride 2 from the second on), then a linear layer\n"
        "with an output for each class; ReLU between them, softmax and cross-entropy at the end. It learns by "
        "gradient\n"
        "descent with momentum, on batches shuffled anew for each epoch; samples that fill no whole batch are left "
        "out\n"
        "of it. Weights start as He's uniform ones. Without --in the samples are the handwritten digits that come "
        "with\n"
        "CLNorm. They are multiplied by one factor, so that the largest magnitude to train with is 1.\n"
        "\n"
        "One seed decides which samples are held out, the weights and the batches: the same seed gives the same bits "
        "on\n"
        "the same device, and with --reproducible on every device; `mpirun -n R clnorm train --reproducible` takes R\n"
        "processes with a part of each batch, to the same bits as one.\n"
        "\n"
        "The model is written after each epoch, and after the last one together with the curves: both or none. When\n"
        "training diverges or a file cannot be written, the model is the last good epoch's, or what was there before\n"
        "if there was none.\n"
        "\n"
        "options:\n");
    options_help(rows);
    return finish_output();
}

/* ---- lists ---------------------------------------------------------------------------------------------------- */

static int refuse_list(const char *option, const char *expected, const char *text)
{
    complain("option --%s: expected %s, got '%s'", option, expected, text);
    return STATUS_USAGE;
}

/* Whole numbers from 1 to 2^20, separated by commas. */
static int read_list(const char *option, const char *expected, const char *text, uint64_t *list, unsigned most,
                     unsigned *count)
{
    const char *at = text;

    *count = 0;
    for (;;) {
        size_t digits = strspn(at, "0123456789");
        unsigned long number = digits > 0 && digits < 8 ? strtoul(at, NULL, 10) : 0;

        if (number < 1 || number > 1 << 20 || *count == most)
            return refuse_list(option, expected, text);
        list[(*count)++] = number;
        at += digits;
        if (*at == '\0')
            return STATUS_DONE;
        if (*at++ != ',')
            return refuse_list(option, expected, text);
    }
}

static int read_texts(const struct texts *texts, struct train_options *o)
{
    static const char layers[] = "none, or 1 to 11 whole numbers from 1 to 1048576, separated by commas";
    static const char sizes[] = "C,H,W, three whole numbers from 1 to 1048576";
    int status = STATUS_DONE;
    unsigned count;

    o->network.hidden_count = 0;
    if (strcmp(texts->hidden, "none") != 0)
        status = read_list("hidden", layers, texts->hidden, o->network.hidden, NETWORK_MOST_LAYERS - 1,
                           &o->network.hidden_count);
    if (status == STATUS_DONE && texts->conv && strcmp(texts->conv, "none") != 0)
        status =
            read_list("conv", layers, texts->conv, o->network.conv, NETWORK_MOST_LAYERS - 1, &o->network.conv_count);
    if (status != STATUS_DONE || !texts->image)
        return status;
    status = read_list("image", sizes, texts->image, o->image, 3, &count);
    return status == STATUS_DONE && count != 3 ? refuse_list("image", sizes, texts->image) : status;
}

/* ---- what the table cannot check ------------------------------------------------------------------------------ */

/* Outputs differ from each other, and from the inputs. */
static int check_outputs_differ(const struct train_options *o)
{
    enum { INPUTS = 2, FILES = 5 };
    const char *const names[FILES] = {"in", "labels", "out", "csv", "compare"};
    const char *const paths[FILES] = {o->in, o->labels, o->out, o->csv, o->compare};

    return options_files_differ(names, paths, INPUTS, FILES) == 0 ? STATUS_DONE : STATUS_USAGE;
}

static int check_usage(const struct train_options *o, const struct option_row *rows)
{
    int has_hidden = o->network.hidden_count + o->network.conv_count > 0;

    if (!o->in != !o->labels)
        complain("train: option --%s is missing; --in x.npy and --labels y.npy go together", o->in ? "labels" : "in");
    else if (o->compare && o->out)
        complain("train: --compare trains many networks and keeps none; expected no --out");
    else if (o->network.type != CLNORM_FLOAT32 && !o->network.is_reproducible)
        complain("option --type: CLBlast's products are of float32 alone; expected --reproducible as well");
    else if (o->compare && o->resume)
        complain("train: --compare trains many networks from the start; expected no --resume");
    else if (o->compare && o->network.is_plain)
        complain("train: --compare trains with and without batch norm; expected no --no-norm");
    else if (o->compare && isinf(TRAIN_MOST_FACTOR * o->rate))
        complain("train: --compare goes up to %g times --rate %g, which is beyond float32; expected a smaller --rate",
                 (double)TRAIN_MOST_FACTOR, (double)o->rate);
    else if (!o->compare && (options_given(rows, "seeds") || options_given(rows, "target")))
        complain("train: option --%s is for --compare; expected that as well",
                 options_given(rows, "seeds") ? "seeds" : "target");
    else if (o->network.hidden_count + o->network.conv_count >= NETWORK_MOST_LAYERS)
        complain("train: --conv and --hidden ask for %u layers; expected at most %d",
                 o->network.hidden_count + o->network.conv_count, NETWORK_MOST_LAYERS - 1);
    else if (!o->network.is_plain && !has_hidden)
        complain("train: with neither --hidden nor --conv there is nothing to normalize; expected --no-norm");
    else if (!o->network.is_plain && o->batch == 1)
        complain("option --batch: one sample has no variance to normalize by; expected 2 or more, or --no-norm");
    else
        return check_outputs_differ(o);
    return STATUS_USAGE;
}

/* clang-format off */
#define ROW_TEXT(option, place, what, words, text)                                                                     \
    {.name = option, .kind = OPTION_TEXT, .target = place, .argument = what, .expected = words, .help = text}
#define ROW_WHOLE(option, place, what, from, to, words, text)                                                          \
    {.name = option, .kind = OPTION_WHOLE, .target = place, .argument = what, .least = from, .most = to,               \
     .expected = words, .help = text}
#define ROW_NUMBER(option, place, what, from, to, words, text)                                                         \
    {.name = option, .kind = OPTION_NUMBER, .target = place, .argument = what, .least = from, .most = to,              \
     .expected = words, .help = text}
/* clang-format on */

int train_read_options(int count, char *const *arguments, struct train_options *o)
{
    struct texts texts = {.hidden = "128,64"};
    struct option_row rows[] = {
        OPTION_ROW_FILE("in", &o->in, "samples, (N, F), (N, H, W) or (N, C, H, W); default: the digits"),
        OPTION_ROW_FILE("labels", &o->labels, "their classes from 0 on: int32, int64, uint8, or whole float32"),
        OPTION_ROW_FILE("out", &o->out, "the model, a .npz file for `clnorm predict` and numpy.load"),
        OPTION_ROW_FILE("resume", &o->resume,
                        "a model that --out has written: goes on from its epoch to --epochs, with the\n"
                        "same other options to the same bits as without the break"),
        ROW_TEXT("hidden", &texts.hidden, "LIST", "sizes", "outputs of the linear blocks, or none; default: 128,64"),
        ROW_TEXT("conv", &texts.conv, "LIST", "sizes", "channels of convolution blocks in front; default: none"),
        ROW_TEXT("image", &texts.image, "C,H,W", "C,H,W",
                 "what convolutions take a sample of F values for; default: from the\n"
                 "shape of --in, and a square image of one channel where that is (N, F)"),
        OPTION_ROW_FLAG("no-norm", &o->network.is_plain, "biases in place of batch norm"),
        ROW_WHOLE("batch", &o->batch, "B", 1, 1 << 24, "a whole number from 1 to 16777216",
                  "samples a step; default: 64"),
        ROW_NUMBER("rate", &o->rate, "R", 1e-37, 3.4e38, "a number above 0", "learning rate; default: 0.1"),
        ROW_NUMBER("momentum", &o->momentum, "M", 0, 0.9999, "a number from 0 to 0.9999", "default: 0.9"),
        ROW_WHOLE("epochs", &o->epochs, "E", 1, 1000000, "a whole number from 1 to 1000000", "default: 10"),
        ROW_WHOLE("seed", &o->seed, "S", 0, 1.8e19, "a whole number below 1.8e19", "default: 1"),
        ROW_NUMBER("test-fraction", &o->held_out, "F", 0, 1, "a number from 0 to 1",
                   "part of the samples that is held out to test with; default: 0.2"),
        OPTION_ROW_FLAG("reproducible", &o->network.is_reproducible,
                        "products in a fixed order, not CLBlast's: the same bits on every device"),
        OPTION_ROW_TYPE(&o->network.type,
                        "how what is kept of samples is stored, with --reproducible; default: float32"),
        OPTION_ROW_FILE("compare", &o->compare,
                        "a picture, SVG or .png, by gnuplot: trains with and without batch norm, from the\n"
                        "same weights and batches, at rates from a tenth to thirty times --rate"),
        ROW_WHOLE("seeds", &o->seeds, "N", 1, 1000, "a whole number from 1 to 1000",
                  "with --compare: how many seeds, from --seed on; medians are told; default: 5"),
        ROW_NUMBER("target", &o->target, "A", 0, 1, "a number from 0 to 1",
                   "with --compare: accuracy whose first step is told; default: 0.95"),
        ROW_NUMBER("timeout", &o->timeout, "T", 0.1, 1e6, "a number from 0.1 to 1000000",
                   "of several ranks (mpirun -n R clnorm train): seconds that one waits for another; default: 60"),
        OPTION_ROW_FILE("csv", &o->csv, "the learning curves as CSV"),
        OPTION_ROW_DEVICE(&o->device),
        OPTION_ROW_VERBOSE(&o->is_verbose),
        OPTION_ROW_HELP(&o->is_help),
        OPTION_ROW_END,
    };
    int status;

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    if (o->is_help)
        return print_help(rows);
    status = read_texts(&texts, o);
    return status == STATUS_DONE ? check_usage(o, rows) : status;
}

/* ---- with the data -------------------------------------------------------------------------------------------- */

int train_find_image(const struct train_options *o, const struct data_set *set, uint64_t image[3])
{
    uint64_t side = (uint64_t)(sqrt((double)set->length) + 0.5);

    if (o->image[0] > 0) {
        memcpy(image, o->image, 3 * sizeof(image[0]));
        /* Each is at most 2^20. */
        if (image[0] * image[1] * image[2] == set->length)
            return STATUS_DONE;
        complain(
            "option --image: %llu x %llu x %llu values, but samples of '%s' have %llu; expected sizes of that product",
            (unsigned long long)image[0], (unsigned long long)image[1], (unsigned long long)image[2], set->path,
            (unsigned long long)set->length);
        return STATUS_FAILED;
    }
    memcpy(image, set->image, 3 * sizeof(image[0]));
    if (image[0] > 0)
        return STATUS_DONE;
    image[0] = 1;
    image[1] = image[2] = side;
    if (side * side == set->length)
        return STATUS_DONE;
    if (o->network.conv_count > 0) {
        complain("samples of '%s' have %llu values, which are no square image; expected --image C,H,W with --conv",
                 set->path, (unsigned long long)set->length);
        return STATUS_FAILED;
    }
    image[1] = 1;
    image[2] = set->length;
    return STATUS_DONE;
}
