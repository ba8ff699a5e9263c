// One device of a push as a person or a script sees it: lines, a progress bar, events, the result.
#pragma once

#include <chrono>
#include <string>

#include "cli/output.hpp"
#include "update/update.hpp"

namespace fota::cli {

class PushRender final : public update::Observer {
  public:
    /// `several`: lines carry the endpoint, and no bar is drawn.
    PushRender(Output& out, std::string endpoint, bool several);

    void step(update::Step step) override;
    void registered(const ports::Registration& registration) override;
    void planned(const update::DeviceFacts& facts) override;
    void progress(const ports::DeliveryProgress& progress) override;
    void remark(const std::string& text) override;

    /// The device's line on stdout, or its `device-result` event.
    void result(const update::Report& report);
    /// The fields both events share (CLI.md, "Device fields").
    static nlohmann::json fields(const std::string& endpoint, const update::Report& report);

    using Clock = std::chrono::steady_clock;
    update::Step current() const noexcept { return step_; }
    /// When it began.
    Clock::time_point since() const noexcept { return step_began_; }

  private:
    void note(std::string_view label, std::string_view text);
    double rate(const ports::DeliveryProgress& progress) const;

    Output& out_;
    std::string endpoint_;
    bool several_;
    update::Step step_ = update::Step::await_device;
    Clock::time_point step_began_ = Clock::now();
    bool announced_ = false;
    bool transferring_ = false;
    Clock::time_point transfer_began_;
    std::uint64_t transfer_began_at_ = 0;
    Clock::time_point drawn_;
    int tenths_ = -1;
    Clock::time_point executed_at_;
    bool executed_ = false;
};

}  // namespace fota::cli
