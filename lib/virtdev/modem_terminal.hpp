// The fake modem on a pseudo-terminal, for programs that open a serial port.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "virtdev/modem.hpp"

namespace fota::virtdev {

class ModemTerminal {
  public:
    /// Opens a pseudo-terminal and makes `link` a symbolic link to it; serves it until destroyed, which takes the link
    /// away. port_unavailable when there is no terminal to be had or something else than an old link stands at `link`.
    /// `modem` must outlive it.
    static Result<std::unique_ptr<ModemTerminal>> open(boost::asio::any_io_executor executor, Modem& modem,
                                                       std::string link);
    ~ModemTerminal();
    ModemTerminal(const ModemTerminal&) = delete;

    /// "/dev/pts/7"
    const std::string& device() const noexcept;

  private:
    struct State;
    explicit ModemTerminal(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace fota::virtdev
