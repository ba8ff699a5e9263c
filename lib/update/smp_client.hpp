// Questions and answers over an SmpChannel: sequence numbers, patience, and both kinds of refusal.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>

#include "ports/clock.hpp"
#include "ports/smp_channel.hpp"
#include "smp/commands.hpp"

namespace fota::update {

struct Patience {
    Milliseconds timeout{2'500};  ///< beyond the time the messages need on the line
    int attempts = 3;             ///< only commands that may be carried out twice are asked again
};

class SmpClient {
  public:
    /// Both outlive the client.
    SmpClient(ports::SmpChannel& channel, ports::Clock& clock) : channel_(channel), clock_(clock) {}

    /// The answer's map. Answers to older requests are passed over. Errors: device_refused (see smp::to_error),
    /// timed_out, message_malformed for an answer that is no CBOR map, port_unavailable, cancelled.
    boost::asio::awaitable<Result<smp::Json>> ask(smp::Command command, Patience patience = {});

    /// For several requests in flight: the number that the next send() uses, and the next answer as it came.
    std::uint8_t next_sequence() const noexcept { return sequence_; }
    boost::asio::awaitable<Result<>> send(smp::Command command);
    boost::asio::awaitable<Result<smp::Message>> receive(Instant deadline);

    ports::SmpChannel& channel() noexcept { return channel_; }
    ports::Clock& clock() noexcept { return clock_; }

  private:
    ports::SmpChannel& channel_;
    ports::Clock& clock_;
    std::uint8_t sequence_ = 0;
    smp::Version version_ = smp::Version::v2;
};

}  // namespace fota::update
