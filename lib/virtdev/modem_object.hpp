// The modem's instance of object 33629 on the virtual device: takes a package by Block1, applies it at the next reset,
// and reports the version that runs. What is inside the package it does not look at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
    Reaction write_package(const coap::Message& request);
    /// It fetches nothing: only the empty URI, which is the reset, is taken.
    Reaction write_uri(BytesView text);
    Reaction execute();

    lwm2m::State state() const noexcept { return state_; }
    lwm2m::UpdateResult result() const noexcept { return result_; }
    const std::string& version() const noexcept { return version_; }
    /// Of the downloaded package; empty outside State 2 and 3.
    std::string package_version() const;
    bool updated() const noexcept { return version_ != first_version; }

    // As a part of the application's package (quirk linked-instances).
    /// Instances that are updated along: the application's, if they came together.
    std::vector<std::uint16_t> linked() const;
    void take_along();
    void withdraw();
    void update_along() { state_ = lwm2m::State::updating; }

  private:
    static constexpr const char* first_version = "mfw_nrf9160_1.3.6";
    void to_idle(lwm2m::UpdateResult result);

    QuirkSet quirks_;
    lwm2m::State state_ = lwm2m::State::idle;
    lwm2m::UpdateResult result_ = lwm2m::UpdateResult::initial;
    std::string version_ = first_version;
    std::uint64_t received_ = 0;
    bool along_ = false;  ///< its package came with the application's
};

}  // namespace fota::virtdev
