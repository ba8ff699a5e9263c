// The AT dialogue over a serial line: who answers there and how, one command at a time.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "modem/dialogue.hpp"
#include "ports/clock.hpp"
#include "ports/serial_line.hpp"

namespace fota::provision {

class AtSession {
  public:
    /// Both must outlive the session.
    AtSession(ports::SerialLine& line, ports::Clock& clock) : line_(line), clock_(clock) {}

    /// Finds out whether AT commands are understood here, directly or behind a Zephyr shell, and what ends a line.
    /// Takes up to 12 s when nothing answers. Errors: port_unavailable (nothing, or something that is no modem,
    /// answers), cancelled.
    boost::asio::awaitable<Result<modem::Dialect>> detect();

    /// One command, one answer. Errors: timed_out, port_unavailable, cancelled, and those of modem::encode.
    boost::asio::awaitable<Result<modem::Answer>> ask(const modem::Command& command, Milliseconds patience);

    /// The same for a command that may be sent twice: once more after silence or a garbled answer.
    boost::asio::awaitable<Result<modem::Answer>> ask_again(const modem::Command& command, Milliseconds patience);

    const modem::Dialect& dialect() const noexcept { return dialect_; }

  private:
    /// Drops what arrived before the next command: the rest of a log line, a late answer.
    boost::asio::awaitable<Result<>> drain();
    boost::asio::awaitable<Result<std::optional<modem::Answer>>> try_dialect(modem::Dialect dialect);

    ports::SerialLine& line_;
    ports::Clock& clock_;
    modem::Dialect dialect_;
    bool heard_ = false;
};

}  // namespace fota::provision
