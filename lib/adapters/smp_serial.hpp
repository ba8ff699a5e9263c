// SmpChannel on a serial line: the framing of consoles or the raw one, and coming back after the cable was pulled.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ports/clock.hpp"
#include "ports/serial_line.hpp"
#include "ports/smp_channel.hpp"
#include "smp/framing.hpp"

namespace fota::adapters {

/// Servers on a console take base64 lines; those with CONFIG_UART_MCUMGR_RAW_PROTOCOL and MCUboot's with
/// CONFIG_BOOT_SERIAL_RAW_PROTOCOL take messages as they are. Neither answers in the other's framing. `learnt`: until
/// the first message has come each silence changes the framing, and a raw message waits until a raw server has
/// forgotten the line before it.
enum class SmpFraming : std::uint8_t { console, raw, learnt };

class SmpSerial final : public ports::SmpChannel {
  public:
    /// Opens the device's line; port_unavailable while it is not there. Called again and again by reopen(), so it is
    /// also where the port is looked up under which the device has come back.
    using Opener = std::function<Result<std::unique_ptr<ports::SerialLine>>()>;

    struct Options {
        SmpFraming framing = SmpFraming::learnt;
        std::uint32_t baud = 115'200;    ///< for wire_time()
        Milliseconds reopen_pause{250};  ///< between two attempts
        smp::RawReader::Side side = smp::RawReader::Side::client;
        /// With raw framing: others have just sent something else on this line.
        bool after_other_bytes = false;
    };

    /// Errors: what the opener says. `clock` outlives the channel.
    static Result<std::unique_ptr<SmpSerial>> open(ports::Clock& clock, Opener opener, Options options);

    const std::string& name() const override { return name_; }
    std::size_t longest_message() const override { return 0xffff - 2; }
    Milliseconds wire_time(std::size_t message) const override;
    boost::asio::awaitable<Result<>> send(Bytes message) override;
    boost::asio::awaitable<Result<Bytes>> receive(Instant deadline) override;
    boost::asio::awaitable<Result<>> reopen(Instant deadline) override;
    void device_was_reset() override;

    const smp::ConsoleReader::Counters& counters() const noexcept { return console_.counters(); }

  private:
    void try_the_other_framing();
    void after_silence();
    SmpSerial(ports::Clock& clock, Opener opener, Options options, std::unique_ptr<ports::SerialLine> line);

    ports::Clock& clock_;
    Opener opener_;
    Options options_;
    SmpFraming framing_;              ///< console or raw
    bool learning_;                   ///< nothing has been heard yet
    std::optional<Instant> foreign_;  ///< when bytes went out that a raw server may still wait for the rest of
    Instant sent_{};                  ///< the last bytes to the line
    Instant arrived_{};               ///< the last bytes from the line
    bool after_noise_ = false;        ///< the last attempt was raw: a console has its bytes at the begin of its line
    std::string name_;
    std::unique_ptr<ports::SerialLine> line_;
    smp::ConsoleReader console_;
    smp::RawReader raw_;
};

}  // namespace fota::adapters
