/* SPDX-License-Identifier: Apache-2.0 */
#include <clnorm.h>
#include <math.h>
#include <stdio.h>

#define TRY(call)                                                                                                      \
    if ((status = (call)) != 0)                                                                                        \
    return printf("line %d: %s\n", __LINE__, clnorm_status_string(status)), 1

int main(void)
{
    enum { N = 8, C = 3, S = 4 * 4, COUNT = N * C * S }; /* an NCHW tensor: 8 samples, 3 channels, 4 x 4 */
    float x[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i * 37 % 101 + 1000 * (i / S % C)); /* the channels lie round 50, 1050 and 2050 */

    int status; /* Your own OpenCL objects; what could not be made is NULL, which CLNorm refuses below. */
    clnorm_device_info found;
    TRY(clnorm_find_device(NULL, &found, NULL));
    cl_context cl = clCreateContext(NULL, 1, &found.device, NULL, NULL, &status);
    cl_command_queue queue = clCreateCommandQueue(cl, found.device, 0, &status);
    cl_mem data = clCreateBuffer(cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof x, x, &status);

    clnorm_context *norm; /* CLNorm on them: forward training, in place */
    clnorm_desc desc;
    size_t bytes;
    TRY(clnorm_create_context(cl, found.device, NULL, &norm));
    TRY(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, (const uint64_t[]){N, C, 4, 4}, &desc));
    TRY(clnorm_get_workspace_bytes(norm, CLNORM_FORWARD_TRAINING, &desc, &bytes));
    cl_mem workspace = clCreateBuffer(cl, CL_MEM_READ_WRITE, bytes, NULL, &status);
    clnorm_forward_training_args args = {.src = {data, 0}, .dst = {data, 0}, .workspace = {workspace, 0}};
    TRY(clnorm_forward_training(norm, queue, &desc, &args, 0, NULL, NULL));
    TRY(clEnqueueReadBuffer(queue, data, CL_TRUE, 0, sizeof x, x, 0, NULL, NULL));

    for (int c = 0; c < C; c++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < N * S; i++) {
            double value = x[(i / S * C + c) * S + i % S];
            sum += value, squares += value * value;
        }
        printf("channel %d: mean %.4f, deviation %.4f\n", c, fabs(sum) / (N * S), sqrt(squares / (N * S)));
    }
    TRY(clnorm_release_context(&norm));
    clReleaseMemObject(workspace), clReleaseMemObject(data), clReleaseCommandQueue(queue), clReleaseContext(cl);
    return 0;
}
