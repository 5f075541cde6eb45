// SPDX-License-Identifier: Apache-2.0
// From C++, on the objects of OpenCL's own C++ bindings. CLNorm's calls take the C handles in them: object().
#define CL_HPP_ENABLE_EXCEPTIONS
#define CL_HPP_TARGET_OPENCL_VERSION 120
#define CL_HPP_MINIMUM_OPENCL_VERSION 120
#if __has_include(<CL/opencl.hpp>) // the new name of the same bindings
#include <CL/opencl.hpp>
#else
#include <CL/cl2.hpp>
#endif
#include <clnorm.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

// An exception instead of a status.
static void check(int status)
{
    if (status != CLNORM_SUCCESS)
        throw std::runtime_error(clnorm_status_string(status));
}

struct release_norm {
    void operator()(clnorm_context *norm) const
    {
        clnorm_release_context(&norm);
    }
};

static int run()
{
    const size_t n = 16, c = 10, s = 30;
    std::vector<float> x(n * c * s), y(x.size());
    for (size_t i = 0; i < x.size(); i++)
        x[i] = static_cast<float>(i * 37 % 101 + 500 * (i / s % c));

    clnorm_device_info found;
    check(clnorm_find_device(nullptr, &found, nullptr));
    cl::Device device(found.device, true); // true: retains, since CLNorm did not hand the device over
    cl::Context context(device);
    cl::CommandQueue queue(context, device);
    cl::Buffer src(context, x.begin(), x.end(), true), dst(context, CL_MEM_READ_WRITE, x.size() * sizeof(float));

    clnorm_context *made;
    check(clnorm_create_context(context(), device(), nullptr, &made));
    std::unique_ptr<clnorm_context, release_norm> norm(made);

    const uint64_t sizes[] = {n, c, s};
    clnorm_desc desc;
    size_t bytes;
    check(clnorm_describe(CLNORM_CHANNELS_FIRST, 3, sizes, &desc));
    check(clnorm_get_workspace_bytes(norm.get(), CLNORM_FORWARD_TRAINING, &desc, &bytes));
    cl::Buffer workspace(context, CL_MEM_READ_WRITE, bytes);

    clnorm_forward_training_args args = clnorm_forward_training_args(); // all members zero
    args.src.mem = src();
    args.dst.mem = dst();
    args.workspace.mem = workspace();
    cl::Event done;
    check(clnorm_forward_training(norm.get(), queue(), &desc, &args, 0, nullptr, &done()));
    done.wait();
    cl::copy(queue, dst, y.begin(), y.end());

    double error = 0;
    for (size_t channel = 0; channel < c; channel++) {
        std::vector<size_t> at;
        for (size_t i = 0; i < x.size(); i++)
            if (i / s % c == channel)
                at.push_back(i);
        double mean = 0, variance = 0;
        for (size_t i : at)
            mean += x[i] / static_cast<double>(at.size());
        for (size_t i : at)
            variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(at.size());
        for (size_t i : at) {
            double off = std::fabs(y[i] - (x[i] - mean) / std::sqrt(variance + static_cast<double>(desc.epsilon)));
            error = std::isnan(off) ? INFINITY : std::max(error, off);
        }
    }
    std::printf("C++: %zu channels on %s, %.1e from float64\n", c, found.name, error);
    return error < 1e-6 ? 0 : 1;
}

int main()
{
    try {
        return run();
    } catch (const cl::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.what(), clnorm_status_string(error.err()));
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
    }
    return 1;
}
