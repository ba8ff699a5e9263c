// Object 33629 has an instance for each component: which others this one's Execute takes along, and which are in its
// way (Linked and Conflicting Instances, 33629/x/16 and 17).
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "lwm2m/value.hpp"
#include "update/runner.hpp"
#include "update/states.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// More than any device has components.
constexpr std::size_t most_instances = 16;
/// How long an instance that is busy with a package of its own is waited for before that is reset.
constexpr Milliseconds longest_foreign_download{60'000};
constexpr Milliseconds foreign_poll{5'000};

std::string instance_text(const lwm2m::FirmwareObject& instance, const std::string& name) {
    const auto where = fmt::format("{}/{}", instance.object, instance.instance);
    return name.empty() ? where : fmt::format("{} ({})", where, printable(name));
}

}  // namespace

/// The other instances that a resource of this one lists. Nothing else may stand there, and what does is left out.
awaitable<Result<std::vector<lwm2m::FirmwareObject>>> Runner::named_instances(lwm2m::Path list) {
    std::vector<lwm2m::FirmwareObject> out;
    if (!object_.advanced()) co_return out;
    CO_TRY(const auto entries, co_await view_.entries(list));
    if (!entries) co_return out;
    for (const auto& entry : *entries) {
        const auto value = lwm2m::as_type(entry.value, lwm2m::Type::object_link);
        const auto* link = value ? std::get_if<lwm2m::ObjectReference>(&*value) : nullptr;
        if (link == nullptr || link->object != object_.object || out.size() == most_instances) continue;
        const lwm2m::FirmwareObject named{link->object, link->instance};
        const bool known = named == object_ || std::ranges::find(out, named) != out.end();
        if (!known) out.push_back(named);
    }
    co_return out;
}

awaitable<Result<std::string>> Runner::told_text(lwm2m::Path path) {
    CO_TRY(const auto value, co_await view_.value(path, lwm2m::Format::text));
    co_return value ? std::string(as_text(*value)) : std::string();
}

/// The argument of Execute. Without one the device chooses what it updates along; what is proven in the end has to be
/// known before, so that the instances whose packages are there are named, or none (argument 0, empty).
awaitable<Result<std::string>> Runner::execute_arguments() {
    attempt_->linked.clear();
    CO_TRY(const auto linked, co_await named_instances(object_.linked()));
    if (linked.empty()) co_return std::string();
    std::vector<LinkedInstance> along;
    std::string list;
    for (const auto& other : linked) {
        CO_TRY(const auto state, co_await view_.integer(other.state()));
        if (state.value_or(idle) != downloaded) continue;
        LinkedInstance instance;
        instance.instance = other.instance;
        CO_TRY(instance.name, co_await told_text(other.component_name()));
        CO_TRY(instance.from, co_await told_text(other.current_version()));
        CO_TRY(instance.to, co_await told_text(other.package_version()));
        list += fmt::format("{}</{}/{}>", list.empty() ? "" : ",", other.object, other.instance);
        if (executions_ <= 1)
            observer_.remark(fmt::format("{} is updated along{}", instance_text(other, instance.name),
                                         instance.to.empty() ? "" : fmt::format(" to {}", printable(instance.to))));
        along.push_back(std::move(instance));
    }
    attempt_->linked = std::move(along);
    co_return list.empty() ? std::string("0") : fmt::format("0='{}'", list);
}

/// Instances that have to be Idle before this one is updated and are not: one that is busy is given a while, then the
/// package in the way is taken from it. True: there was one. Those that are updated along are in nobody's way.
awaitable<Result<bool>> Runner::clear_conflicts() {
    CO_TRY(const auto named, co_await named_instances(object_.conflicting()));
    if (named.empty()) co_return false;
    CO_TRY(const auto linked, co_await named_instances(object_.linked()));
    bool some = false;
    for (const auto& other : named) {
        CO_TRY(auto state, co_await view_.integer(other.state()));
        if (state.value_or(idle) == idle) continue;
        const bool along = state == downloaded && std::ranges::find(linked, other) != linked.end();
        if (along) continue;
        some = true;
        CO_TRY(const auto name, co_await told_text(other.component_name()));
        const auto who = instance_text(other, name);
        observer_.remark(fmt::format("{} is in State {} and in conflict with this update (33629/{}/17)", who,
                                     lwm2m::state_text(*state), object_.instance));
        const auto deadline = clock_.now() + longest_foreign_download;
        while (state.value_or(idle) != idle && state != downloaded && clock_.now() < deadline) {
            const bool slept = co_await clock_.sleep_until(clock_.now() + foreign_poll);
            if (!slept) co_return fail(Errc::cancelled, "waiting was cancelled");
            CO_TRY(state, co_await view_.integer(other.state()));
        }
        if (state.value_or(idle) != idle && state != updating) {
            CO_TRY(state, co_await withdraw_package(other));
            if (state.value_or(idle) == idle) observer_.remark(fmt::format("the package of {} was withdrawn", who));
        }
        if (state.value_or(idle) != idle)
            co_return fail(Errc::device_refused,
                           fmt::format("expected {} to be idle, since it is in conflict with this update "
                                       "(33629/{}/17), found State {}",
                                       who, object_.instance, lwm2m::state_text(*state)));
    }
    co_return some;
}

/// The gentle half of the reset ladder, for an instance that is not this update's own. Its State afterwards.
awaitable<Result<std::optional<std::int64_t>>> Runner::withdraw_package(lwm2m::FirmwareObject other) {
    CO_TRY_VOID(co_await view_.write(other.package_uri(), {}, lwm2m::Format::text));
    CO_TRY(auto state, co_await view_.integer(other.state()));
    // In State 1 a NUL may complete the download instead; the next one then resets it.
    for (int rung = 0; rung < 2 && state.value_or(idle) != idle; ++rung) {
        CO_TRY_VOID(co_await view_.write(other.package(), Bytes(1), lwm2m::Format::opaque));
        CO_TRY(state, co_await view_.integer(other.state()));
    }
    co_return state;
}

/// With Result 12 or 13: "; in conflict with 33629/1 (modem) in State 2 (downloaded)".
awaitable<Result<std::string>> Runner::conflict_note(std::int64_t result) {
    const bool conflict = result == static_cast<std::int64_t>(lwm2m::UpdateResult::conflicting_state) ||
                          result == static_cast<std::int64_t>(lwm2m::UpdateResult::dependency);
    std::string out;
    if (!conflict) co_return out;
    CO_TRY(const auto named, co_await named_instances(object_.conflicting()));
    for (const auto& other : named) {
        CO_TRY(const auto name, co_await told_text(other.component_name()));
        CO_TRY(const auto version, co_await told_text(other.current_version()));
        CO_TRY(const auto state, co_await view_.integer(other.state()));
        out += fmt::format("{}{} in State {}", out.empty() ? "; it names " : ", ", instance_text(other, name),
                           lwm2m::state_text(state.value_or(idle)));
        if (!version.empty()) out += fmt::format(", which runs {}", printable(version));
    }
    co_return out;
}

/// What is missing yet of what was updated along: "33629/1 (modem) to run 1.3.7 as well, found ..."; "" once all of it
/// runs. device_did_not_apply for one that has given up. Its Result alone never proves anything.
awaitable<Result<std::string>> Runner::linked_late() {
    if (!attempt_) co_return std::string();
    for (const auto& linked : attempt_->linked) {
        const lwm2m::FirmwareObject other{lwm2m::advanced_firmware::object, linked.instance};
        CO_TRY(const auto version, co_await told_text(other.current_version()));
        if (runs_along(linked, version)) continue;
        CO_TRY(const auto state, co_await view_.integer(other.state()));
        CO_TRY(const auto result, co_await view_.integer(other.result()));
        auto late =
            fmt::format("{} to run {} as well, found {} with Result {} in State {}", instance_text(other, linked.name),
                        !linked.to.empty()     ? printable(linked.to)
                        : !linked.from.empty() ? fmt::format("another version than {}", printable(linked.from))
                                               : std::string("a version that can be told from the one before"),
                        version.empty() ? std::string("none told") : printable(version),
                        lwm2m::result_text(result.value_or(0)), lwm2m::state_text(state.value_or(-1)));
        const bool given_up = state && *state != updating && result.value_or(0) >= 2;
        if (given_up) co_return Failure(linked_failure(late));
        co_return late;
    }
    co_return std::string();
}

/// The same command is to look at it again: the attempt stays open.
Error Runner::linked_failure(const std::string& late) const {
    return Error(Errc::device_did_not_apply, fmt::format("{} runs; expected {}", target_.text(), late))
        .with(stays_open, "yes");
}

}  // namespace fota::update
