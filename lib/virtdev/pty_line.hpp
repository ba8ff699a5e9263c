// The device's end of a pseudo-terminal as a SerialLine: what the virtual board's SMP server is reached through.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "ports/clock.hpp"
#include "ports/serial_line.hpp"

namespace fota::virtdev {

class PtyLine final : public ports::SerialLine {
  public:
    /// Errors: see open_pseudo_terminal. The clock outlives the line; the link goes with it.
    static Result<std::unique_ptr<PtyLine>> open(boost::asio::any_io_executor executor, ports::Clock& clock,
                                                 std::string link);
    ~PtyLine() override;

    const std::string& name() const override;
    boost::asio::awaitable<Result<Bytes>> read(Instant deadline) override;
    /// What nobody reads is lost, as on a UART.
    boost::asio::awaitable<Result<>> write(Bytes bytes) override;

  private:
    struct State;
    explicit PtyLine(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace fota::virtdev
