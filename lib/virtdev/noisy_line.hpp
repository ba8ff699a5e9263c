// A console line as boards have it: the firmware's log on the same UART, and now and then a damaged character.
#pragma once

#include <memory>

#include "ports/serial_line.hpp"
#include "virtdev/smp_quirks.hpp"

namespace fota::virtdev {

/// The device's end of a line, with the quirks smp-log-lines, smp-log-in-line and smp-corrupt of the set; the others
/// do not concern it. Strict about nothing: what passes through is SMP's console framing.
class NoisyLine final : public ports::SerialLine {
  public:
    NoisyLine(std::unique_ptr<ports::SerialLine> line, SmpQuirkSet quirks) : line_(std::move(line)), quirks_(quirks) {}

    const std::string& name() const override { return line_->name(); }
    boost::asio::awaitable<Result<Bytes>> read(Instant deadline) override;
    boost::asio::awaitable<Result<>> write(Bytes bytes) override;

  private:
    /// Counts the lines that pass in one direction.
    struct Passing {
        std::uint64_t lines = 0;
        std::size_t column = 0;
    };
    void damage(Bytes& bytes, Passing& passing) const;
    bool has(SmpQuirk quirk) const { return quirks_.has(quirk); }

    std::unique_ptr<ports::SerialLine> line_;
    SmpQuirkSet quirks_;
    Passing in_;
    Passing out_;
};

}  // namespace fota::virtdev
