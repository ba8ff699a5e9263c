// What one block costs in our own code, and what the offline steps of a push cost.
#include <benchmark/benchmark.h>

#include "coap/block1_sender.hpp"
#include "image/verify.hpp"
#include "server/estimate.hpp"
#include "tests/support/test_images.hpp"

using namespace fota;

static void encode_block(benchmark::State& state) {
    const auto body = test::payload(512 * 1024, 1);
    const coap::Block1Sender sender({"/5/0/0", coap::Format::opaque, body, 5, 100, coap::Token(Bytes(8, 1))});
    for (auto _ : state) benchmark::DoNotOptimize(coap::encode(sender.request()));
    state.SetBytesProcessed(state.iterations() * 512);
}
BENCHMARK(encode_block);

static void decode_block(benchmark::State& state) {
    const auto body = test::payload(512 * 1024, 1);
    const coap::Block1Sender sender({"/5/0/0", coap::Format::opaque, body, 5, 100, coap::Token(Bytes(8, 1))});
    const auto datagram = coap::encode(sender.request()).value();
    for (auto _ : state) benchmark::DoNotOptimize(coap::decode(datagram));
    state.SetBytesProcessed(state.iterations() * 512);
}
BENCHMARK(decode_block);

static void verify_400_kib(benchmark::State& state) {
    const auto image = test::signed_image("1.0.0", 400 * 1024);
    const std::vector keys{test::test_signer().public_key()};
    for (auto _ : state) benchmark::DoNotOptimize(image::verify(image, image::parse(image).value(), keys));
}
BENCHMARK(verify_400_kib)->Unit(benchmark::kMicrosecond);

static void estimate_400_kib(benchmark::State& state) {
    const auto image = test::payload(400 * 1024, 1);
    for (auto _ : state) benchmark::DoNotOptimize(server::estimate_push(image, 512, true, Milliseconds(1000)));
}
BENCHMARK(estimate_400_kib)->Unit(benchmark::kMicrosecond);
