#include "cli/push_render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "cli/progress_text.hpp"
#include "flash/parts.hpp"

namespace fota::cli {
namespace {

using namespace std::chrono_literals;

/// Seldom enough not to flicker, and not to flood a log with events.
constexpr auto redraw_interval = 100ms;
constexpr auto event_interval = 1s;

/// A device's version for a person: a build number of 0 says nothing.
std::string shown(const std::string& version) {
    if (version.empty()) return "?";
    return printable(version.ends_with("+0") ? version.substr(0, version.size() - 2) : version, 64);
}

}  // namespace

PushRender::PushRender(Output& out, std::string endpoint, bool several)
    : out_(out), endpoint_(std::move(endpoint)), several_(several) {}

void PushRender::note(std::string_view label, std::string_view text) {
    const auto who = several_ ? printable(endpoint_) + " " : std::string();
    out_.note(fmt::format("{:<8} {}{}", label, who, text));
}

void PushRender::step(update::Step step) {
    step_ = step;
    step_began_ = Clock::now();
    out_.event("step", {{"endpoint", endpoint_}, {"step", update::step_name(step)}});
    switch (step) {
        case update::Step::reset:
            note("reset", "the device holds another package: it is told to give it up");
            break;
        case update::Step::deliver:
            transferring_ = false;
            break;
        case update::Step::downloaded:
            note("stored", "the device has the whole image (State 2)");
            break;
        case update::Step::execute:
            executed_ = true;
            executed_at_ = Clock::now();
            note("execute", "update started, waiting for the device to return");
            break;
        case update::Step::soak:
            note("soak", "watching for a revert");
            break;
        default:
            break;
    }
}

void PushRender::registered(const ports::Registration& registration) {
    out_.event("registered", {{"endpoint", endpoint_},
                              {"address", registration.address},
                              {"lifetime", registration.parameters.lifetime.count()},
                              {"version", registration.parameters.lwm2m_version}});
    if (executed_) {
        const auto away = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - executed_at_);
        note("back", fmt::format("after {} from {}{}", human_duration(away), registration.address,
                                 registration.secure ? " (new DTLS session)" : ""));
    } else if (announced_) {
        note("back", fmt::format("from {}", registration.address));
    } else {
        announced_ = true;
        note("device", fmt::format("{}from {}{}", several_ ? std::string() : printable(endpoint_) + " ",
                                   registration.address, registration.secure ? "" : " in clear"));
    }
}

void PushRender::planned(const update::DeviceFacts& facts) {
    out_.event("device", {{"endpoint", endpoint_}, {"state", facts.state}, {"result", facts.result}});
    std::string text = fmt::format("runs {}", shown(facts.version));
    if (!facts.model.empty()) text += fmt::format(" on {}", printable(facts.model, 64));
    if (facts.jedec_id && facts.flash_size) {
        const auto* part = facts.jedec_id->size() == 3
                               ? flash::find_part({(*facts.jedec_id)[0], (*facts.jedec_id)[1], (*facts.jedec_id)[2]})
                               : nullptr;
        text += fmt::format(" · external flash {} {}", part ? std::string(part->name) : to_hex(*facts.jedec_id),
                            human_size(*facts.flash_size));
    }
    note("", text);
}

double PushRender::rate(const ports::DeliveryProgress& progress) const {
    const auto seconds = std::chrono::duration<double>(Clock::now() - transfer_began_).count();
    const auto moved = progress.bytes > transfer_began_at_ ? progress.bytes - transfer_began_at_ : 0;
    return seconds > 0.001 ? static_cast<double>(moved) / seconds : 0;
}

void PushRender::progress(const ports::DeliveryProgress& progress) {
    const auto now = Clock::now();
    if (!transferring_) {
        transferring_ = true;
        transfer_began_ = now;
        transfer_began_at_ = progress.bytes;
        drawn_ = {};
        tenths_ = -1;
    }
    const auto speed = rate(progress);
    const bool complete = progress.bytes == progress.total;
    if (out_.json()) {
        if (!complete && now - drawn_ < event_interval) return;
        drawn_ = now;
        out_.event("progress", {{"endpoint", endpoint_},
                                {"bytes", progress.bytes},
                                {"total", progress.total},
                                {"block", progress.block},
                                {"blocks", progress.blocks},
                                {"rate", std::llround(speed)},
                                {"retransmissions", progress.retransmissions}});
        return;
    }
    const auto percent = progress.total == 0 ? 0 : static_cast<int>(progress.bytes * 100 / progress.total);
    const auto sizes = fmt::format("{}/{}", human_size(progress.bytes), human_size(progress.total));
    const auto speed_text = fmt::format("{}/s", human_size(static_cast<std::uint64_t>(speed)));
    if (out_.live() && !several_) {
        if (!complete && !progress.paused && now - drawn_ < redraw_interval) return;
        drawn_ = now;
        const auto left = speed > 0 ? static_cast<double>(progress.total - progress.bytes) / speed : -1;
        auto tail = fmt::format("{:>3} %  {}  {}  {} left", percent, sizes, speed_text, clock_text(left));
        if (progress.paused) {
            tail = fmt::format("{:>3} %  {}  paused: the device is silent", percent, sizes);
        } else if (progress.round_trip.count() > 0) {
            tail += fmt::format("  rtt {} ms", progress.round_trip.count());
        }
        if (progress.retransmissions > 0) tail += fmt::format("  {} resent", progress.retransmissions);
        const auto part =
            progress.total == 0 ? 0.0 : static_cast<double>(progress.bytes) / static_cast<double>(progress.total);
        const auto columns = std::clamp(out_.width() - static_cast<int>(tail.size()) - 14, 0, 40);
        out_.redraw(fmt::format("transfer {}  {}", progress_bar(part, columns), tail));
        if (complete) note("transfer", tail);
        return;
    }
    if (percent / 10 == tenths_) return;
    tenths_ = percent / 10;
    note("transfer",
         fmt::format("{:>3} %  {}{}{}", percent, sizes, speed > 0 ? "  " + speed_text : std::string(),
                     progress.retransmissions > 0 ? fmt::format("  {} resent", progress.retransmissions) : ""));
}

void PushRender::remark(const std::string& text) {
    note("", text);
}

nlohmann::json PushRender::fields(const std::string& endpoint, const update::Report& report) {
    nlohmann::json out = {{"endpoint", endpoint},
                          {"outcome", update::outcome_name(report.outcome)},
                          {"from_version", report.from_version},
                          {"to_version", report.to_version},
                          {"running_version", report.running_version},
                          {"bytes_sent", report.bytes_sent},
                          {"blocks", report.blocks},
                          {"retransmissions", report.retransmissions},
                          {"seconds", static_cast<double>(report.elapsed.count()) / 1000}};
    return out;
}

void PushRender::result(const update::Report& report) {
    out_.event("device-result", fields(endpoint_, report));
    const auto who = several_ ? fmt::format("  {}", printable(endpoint_)) : std::string();
    const auto label = [&](Style style, std::string_view text) { return out_.styled(style, text) + who; };
    switch (report.outcome) {
        case update::Outcome::updated:
            note("proven", fmt::format("{} runs{}", shown(report.running_version),
                                       report.proven_by_hash ? ", its image hash is the one that was sent" : ""));
            if (step_ != update::Step::soak) note("", "not watched for a revert (--soak D does)");
            out_.line(fmt::format("{}  {} -> {} in {} · {} blocks, {} resent", label(Style::green, "updated"),
                                  shown(report.from_version), report.to_version, human_duration(report.elapsed),
                                  report.blocks, report.retransmissions));
            break;
        case update::Outcome::already_installed:
            out_.line(fmt::format("{}  {} runs, nothing was sent", label(Style::green, "already-installed"),
                                  shown(report.running_version)));
            break;
        default:
            // Of one device the error follows on stderr.
            out_.line(fmt::format("{}  {}", label(Style::red, update::outcome_name(report.outcome)),
                                  several_ && report.error          ? report.error->text()
                                  : !report.running_version.empty() ? shown(report.running_version) + " runs"
                                  : report.outcome == update::Outcome::absent
                                      ? printable(endpoint_) + " was not reached"
                                      : printable(endpoint_) + " was not updated"));
            break;
    }
}

}  // namespace fota::cli
