// The modem's instance of object 33629 on the virtual device: takes a package by Block1, applies it at the next reset,
// and reports the version that runs. What is inside the package it does not look at.
#pragma once

#include <cstdint>
#include <string>

#include "coap/message.hpp"
#include "lwm2m/firmware.hpp"
#include "virtdev/quirks.hpp"
#include "virtdev/reaction.hpp"

namespace fota::virtdev {

class ModemObject {
  public:
    explicit ModemObject(QuirkSet quirks) : quirks_(quirks) {}

    /// A reset applies what Execute asked for.
    void after_boot();
    /// A request below /33629/1.
    Reaction handle(std::uint16_t resource, const coap::Message& request);
    const std::string& version() const noexcept { return version_; }

  private:
    Reaction write_package(const coap::Message& request);
    void to_idle(lwm2m::UpdateResult result);

    QuirkSet quirks_;
    lwm2m::State state_ = lwm2m::State::idle;
    lwm2m::UpdateResult result_ = lwm2m::UpdateResult::initial;
    std::string version_ = "mfw_nrf9160_1.3.6";
    std::uint64_t received_ = 0;
};

}  // namespace fota::virtdev
