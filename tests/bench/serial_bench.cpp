// What a window is worth on a cable, and how near an upload comes to what the line can carry. In virtual time: the
// figures are the protocol's, not this machine's.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <map>
#include <memory>

#include "smp/framing.hpp"
#include "tests/support/test_images.hpp"
#include "tests/support/virtual_smp.hpp"
#include "update/preflight.hpp"
#include "update/serial_update.hpp"
#include "virtdev/smp_machine.hpp"

using namespace fota;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t image_bytes = 400 * 1024;

class Watch final : public update::SerialObserver {
  public:
    explicit Watch(test::VirtualClock& clock) : clock_(clock) {}
    void progress(const smp::Upload& upload) override {
        // From the first piece on: before it the slot's trailer is erased.
        if (!began_) began_ = {clock_.now(), upload.acknowledged()};
        seconds = std::chrono::duration<double>(clock_.now() - began_->first).count();
        bytes = static_cast<double>(upload.acknowledged() - began_->second);
        chunk = upload.chunk();
    }
    double seconds = 0;
    double bytes = 0;
    std::size_t chunk = 0;

  private:
    test::VirtualClock& clock_;
    std::optional<std::pair<Instant, std::uint64_t>> began_;
};

struct Setting {
    std::uint32_t baud;
    std::uint32_t window;
    Milliseconds turnaround;
    virtdev::SmpBuffers buffers;
    auto operator<=>(const Setting& other) const {
        return std::tuple(baud, window, turnaround, buffers.size) <=>
               std::tuple(other.baud, other.window, other.turnaround, other.buffers.size);
    }
};

struct Figures {
    double rate = 0;     ///< bytes of the image a second
    double ceiling = 0;  ///< the same of a line that never pauses
    double seconds = 0;
};

Figures upload(const Setting& setting) {
    boost::asio::io_context io;
    test::VirtualClock clock(io);
    // The turnaround is the way there and back: the server itself answers one request after the other.
    test::VirtualSmpLine line(io, clock, setting.baud, setting.turnaround / 2);
    const auto image = test::signed_image("2.0.0", image_bytes, 2);
    virtdev::Board board(virtdev::BootConfig{}, virtdev::hash_only());
    if (!board.flash_image(test::signed_image("1.0.0", 4'096, 1))) std::abort();
    virtdev::SmpMachineConfig config;
    config.turnaround = 0ms;
    config.buffers = setting.buffers;
    virtdev::SmpMachine machine(board, clock, std::move(config), {});
    boost::asio::cancellation_signal stop;
    bool stopped = false;
    boost::asio::co_spawn(
        io, machine.run(line.server),
        boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr, Result<>) { stopped = true; }));

    const std::vector keys{test::test_signer().public_key()};
    const auto checked = update::check_image(image, keys, std::nullopt).value();
    update::SerialPolicy policy;
    policy.window = setting.window;
    Watch watch(clock);
    std::optional<update::Report> report;
    boost::asio::co_spawn(io, update::upload_serial(line.client, checked.target, std::nullopt, policy, clock, watch),
                          [&](std::exception_ptr, update::Report end) { report = std::move(end); });
    clock.run_until([&] { return report.has_value(); });
    stop.emit(boost::asio::cancellation_type::terminal);
    clock.run_until([&] { return stopped; }, 10s);
    if (!report || report->error) std::abort();
    // Header and the body's map around a piece.
    const smp::Command piece{smp::Op::write,
                             smp::group::image,
                             1,
                             {{"off", image_bytes / 2}, {"data", smp::binary(Bytes(watch.chunk))}},
                             ""};
    const auto wire = smp::console_size(smp::encode(piece, 0).value().size());
    const auto ceiling = static_cast<double>(watch.chunk) * setting.baud / 10 / static_cast<double>(wire);
    return {watch.bytes / watch.seconds, ceiling, watch.seconds};
}

const Figures& measured(const Setting& setting) {
    static std::map<Setting, Figures> all;
    const auto found = all.find(setting);
    return found != all.end() ? found->second : all.emplace(setting, upload(setting)).first->second;
}

void serial_upload(benchmark::State& state) {
    Setting setting{static_cast<std::uint32_t>(state.range(0)),
                    static_cast<std::uint32_t>(state.range(1)),
                    Milliseconds(state.range(2)),
                    {static_cast<std::uint32_t>(state.range(3)), 4}};
    const auto& figures = measured(setting);
    for (auto _ : state) state.SetIterationTime(figures.seconds);
    setting.window = 1;
    state.counters["KiB/s"] = figures.rate / 1024;
    state.counters["of_ceiling_%"] = 100 * figures.rate / figures.ceiling;
    state.counters["times_window_1"] = figures.rate / measured(setting).rate;
}

}  // namespace

BENCHMARK(serial_upload)
    ->ArgNames({"baud", "window", "turnaround_ms", "buffer"})
    ->ArgsProduct({{115'200, 1'000'000, 2'000'000, 4'000'000}, {1, 4}, {2, 10}, {384}})
    ->ArgsProduct({{115'200, 1'000'000}, {1, 4}, {10}, {2'048}})
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kSecond);
