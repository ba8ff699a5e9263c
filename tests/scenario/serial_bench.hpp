// A board on a cable in virtual time: the serial update engine on one end, a virtual board with an application's SMP
// server and MCUboot's recovery on the other, and a line between them that can be unplugged.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <memory>

#include "adapters/smp_serial.hpp"
#include "tests/support/test_images.hpp"
#include "tests/support/virtual_smp.hpp"
#include "tests/support/virtual_wire.hpp"
#include "update/preflight.hpp"
#include "update/serial_update.hpp"
#include "virtdev/noisy_line.hpp"
#include "virtdev/smp_machine.hpp"

namespace fota::test {

using namespace std::chrono_literals;

struct SerialBenchOptions {
    virtdev::SmpQuirkSet quirks{};
    bool in_recovery = false;
    std::uint32_t baud = 115'200;
    Milliseconds turnaround{2};  ///< the server's; it answers one request after the other
    Milliseconds latency{0};     ///< the line's, each way
    std::size_t image_bytes = 40 * 1024;
    std::string old_version = "1.0.0";
    virtdev::ImageCheck check = virtdev::hash_only();  ///< the bootloader's
    bool framed = false;  ///< the messages go as bytes over a wire, through the real framing; `line` is not used then
};

class SerialBench final : public update::SerialObserver {
  public:
    explicit SerialBench(SerialBenchOptions options = {})
        : line(io, clock, options.baud, options.latency), wire(io, clock, options.baud) {
        old_image = signed_image(options.old_version, options.image_bytes, 1);
        new_image = signed_image("2.0.0", options.image_bytes, 2);
        board = std::make_unique<virtdev::Board>(virtdev::BootConfig{}, options.check);
        EXPECT_TRUE(board->flash_image(old_image));
        virtdev::SmpMachineConfig config;
        config.quirks = options.quirks;
        config.in_recovery = options.in_recovery;
        config.turnaround = options.turnaround;
        virtdev::SmpMachineEvents events;
        events.swapped = [this](const auto&, const auto&) { ++swaps; };
        events.reverted = [this](const auto&) { ++reverts; };
        machine = std::make_unique<virtdev::SmpMachine>(*board, clock, std::move(config), std::move(events));
        if (options.framed) {
            const auto raw = options.quirks.has(virtdev::SmpQuirk::raw_framing);
            adapters::SmpSerial::Options server{
                .framing = raw ? adapters::SmpFraming::raw : adapters::SmpFraming::console,
                .side = smp::RawReader::Side::server};
            served_ = adapters::SmpSerial::open(
                          clock, [this, quirks = options.quirks] { return noisy(quirks); }, server)
                          .value();
            framed = adapters::SmpSerial::open(clock, [this] { return wire.client.open(); }, {}).value();
        }
        boost::asio::co_spawn(io, machine->run(served_ ? static_cast<ports::SmpChannel&>(*served_) : line.server),
                              boost::asio::bind_cancellation_slot(
                                  machine_stop_.slot(), [this](std::exception_ptr, Result<>) { ended_ = true; }));
    }
    ~SerialBench() override {
        machine_stop_.emit(boost::asio::cancellation_type::terminal);
        EXPECT_TRUE(clock.run_until([&] { return ended_; }, 10s));
    }

    void start() {
        const std::vector keys{test_signer().public_key()};
        checked_ = update::check_image(new_image, keys, std::nullopt).value();
        report.reset();
        boost::asio::co_spawn(io, update::run_serial(client(), checked_->target, policy, clock, *this),
                              [this](std::exception_ptr failure, update::Report end) {
                                  if (failure) std::rethrow_exception(failure);
                                  report = std::move(end);
                              });
    }
    update::Report finish() {
        EXPECT_TRUE(clock.run_until([&] { return report.has_value(); }, 2h));
        return report.value_or(update::Report{});
    }
    update::Report update() {
        start();
        return finish();
    }
    ports::SmpChannel& client() { return framed ? static_cast<ports::SmpChannel&>(*framed) : line.client; }
    std::string running() const { return virtdev::image_in(board->primary())->version; }

    boost::asio::io_context io;
    VirtualClock clock{io};
    VirtualSmpLine line;
    VirtualWire wire;
    std::unique_ptr<adapters::SmpSerial> framed;
    Bytes old_image;
    Bytes new_image;
    std::unique_ptr<virtdev::Board> board;
    std::unique_ptr<virtdev::SmpMachine> machine;
    update::SerialPolicy policy;
    std::optional<update::Report> report;
    std::uint64_t uploaded = 0;
    int swaps = 0;
    int reverts = 0;
    std::string remarks;

  private:
    Result<std::unique_ptr<ports::SerialLine>> noisy(virtdev::SmpQuirkSet quirks) {
        TRY(auto end, wire.server.open());
        return std::make_unique<virtdev::NoisyLine>(std::move(end), quirks);
    }
    void progress(const smp::Upload& upload) override { uploaded = upload.acknowledged(); }
    void remark(const std::string& text) override { remarks += text + "\n"; }

    std::optional<update::Checked> checked_;
    std::unique_ptr<adapters::SmpSerial> served_;
    boost::asio::cancellation_signal machine_stop_;
    bool ended_ = false;
};

inline std::string text(const update::Report& report) {
    return fmt::format("{} {}", update::outcome_name(report.outcome), report.error ? report.error->text() : "");
}

}  // namespace fota::test
