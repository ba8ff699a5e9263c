// A board with an SMP server on a line: its application, its bootloader's recovery, resets and what happens in between.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <string>

#include "ports/clock.hpp"
#include "ports/smp_channel.hpp"
#include "virtdev/smp_server.hpp"

namespace fota::virtdev {

struct SmpMachineConfig {
    SmpQuirkSet quirks;
    SmpBuffers buffers;                    ///< of the application
    SmpBuffers recovery_buffers{1024, 1};  ///< of the bootloader
    bool in_recovery = false;              ///< starts there, as with a button held
    Milliseconds turnaround{2};            ///< from a request to its answer
    Milliseconds reset_after{250};         ///< from the answer to the reset
    Milliseconds boot_time{500};
    Milliseconds dfu_window{500};  ///< quirk smp-wait-for-dfu
    /// Somebody else runs the board (the LwM2M device): asked to reset it instead of doing so. Booted is then what the
    /// board runs after boot_time.
    std::function<void()> reset_board;
};

struct SmpMachineEvents {
    std::function<void(const std::string& reason)> reboot;
    std::function<void(const std::string& from, const std::string& to)> swapped;
    std::function<void(const std::string& version)> reverted;
    std::function<void(const std::string& line)> boot_log;
};

class SmpMachine {
  public:
    /// All references outlive the machine. The board has booted, or is booted by run().
    SmpMachine(Board& board, ports::Clock& clock, SmpMachineConfig config, SmpMachineEvents events);

    /// Serves until the channel fails for good or the operation is cancelled.
    boost::asio::awaitable<Result<>> run(ports::SmpChannel& channel);

    bool in_recovery() const noexcept { return recovery_mode_; }
    std::uint64_t dropped() const noexcept { return dropped_; }    ///< requests beyond the buffers
    std::uint64_t requests() const noexcept { return requests_; }  ///< taken
    /// Power is lost and comes back, while a button is held or not.
    void power_cycle(bool into_recovery);

  private:
    boost::asio::awaitable<Result<>> boot(ports::SmpChannel& channel, bool to_bootloader, const char* reason);
    boost::asio::awaitable<Result<>> collect(ports::SmpChannel& channel, Instant deadline, std::size_t room);
    boost::asio::awaitable<Result<>> answer(ports::SmpChannel& channel, SmpReaction reaction);
    Result<> start_image();
    bool has(SmpQuirk quirk) const { return config_.quirks.has(quirk); }

    Board& board_;
    ports::Clock& clock_;
    SmpMachineConfig config_;
    SmpMachineEvents events_;
    SmpApplication application_;
    SmpRecovery recovery_;
    bool recovery_mode_;
    bool booted_ = false;
    bool power_cycle_ = false;
    bool power_cycle_to_recovery_ = false;
    std::deque<Bytes> queue_;
    std::uint64_t dropped_ = 0;
    std::uint64_t requests_ = 0;
    std::uint64_t replies_ = 0;
};

}  // namespace fota::virtdev
