#include "update/device_view.hpp"

#include <fmt/format.h>

#include <utility>

#include "lwm2m/formats.hpp"
#include "lwm2m/value.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// A device that is reachable yet silent is asked again after this long, without waiting for it to register.
constexpr Milliseconds ask_again{15'000};
/// Of a device that does not say for how long it is busy: RFC 7252 means 60 s, and most are sooner.
constexpr std::chrono::seconds usual_busy{2};
constexpr std::chrono::seconds longest_max_age{60};
/// Answers that may pass are asked for again after 1, 2, 4, 8 and 16 s.
constexpr Milliseconds first_pause{1'000};
constexpr int mandatory_repeats = 5;
/// An object may come up after the registration did, or never.
constexpr int not_found_repeats = 3;
constexpr int optional_repeats = 1;
constexpr auto too_many_requests = static_cast<lwm2m::Status>(4 << 5 | 29);  // RFC 8516

bool away(const Error& error) {
    return error.code() == Errc::timed_out || error.code() == Errc::peer_gone;
}

bool was_reset(const Result<ports::Answer>& answer) {
    return !answer && answer.error().code() == Errc::device_refused;
}

bool is_passing(lwm2m::Status code) {
    const bool fault = code >= lwm2m::Status::internal_server_error && code != lwm2m::Status::not_implemented;
    return fault || code == too_many_requests;
}

Error nonsense(const Error& error) {
    return error.code() == Errc::message_malformed ? Error(Errc::device_refused, error.text()) : Error(error);
}

}  // namespace

Milliseconds busy_pause(const ports::Answer& answer) {
    return std::clamp(answer.max_age.value_or(usual_busy), std::chrono::seconds(1), longest_max_age);
}

Result<std::int64_t> told_integer(const lwm2m::Path& path, const ports::Answer& answer) {
    auto value = lwm2m::integer_value(path, answer.format, answer.payload);
    if (!value) return Failure(nonsense(value.error()));
    return *value;
}

DeviceView::Need DeviceView::need_of(const lwm2m::Path& path) const {
    const bool everyones =
        path == object_.state() || path == object_.result() || path == lwm2m::device::firmware_version;
    return everyones && !missing_.contains(path) ? Need::mandatory : Need::optional;
}

template <class Operation>
awaitable<Result<ports::Answer>> DeviceView::persist(Need need, Operation operation) {
    const auto begun = clock_.now();
    auto deadline = begun + patience_;
    int wakings = 0;
    int refusals = 0;
    int repeats = 0;
    const auto repeated = [&](const Result<ports::Answer>& answer) {
        if (was_reset(answer)) return need == Need::optional ? optional_repeats : mandatory_repeats;
        if (!answer || need == Need::act) return 0;
        if (is_passing(answer->code)) return need == Need::optional ? optional_repeats : mandatory_repeats;
        return need == Need::mandatory && answer->code == lwm2m::Status::not_found ? not_found_repeats : 0;
    };
    for (;;) {
        if (link_.asleep() && wakings < ports::most_wakings) {
            const auto longest = sleep_.value_or(ports::longest_sleep(*link_.registration()));
            if (asleep_) asleep_(longest);
            CO_TRY_VOID(co_await link_.await_awake(link_.awake_serial(), clock_.now() + longest));
            deadline = clock_.now() + patience_;
            ++wakings;
        }
        const auto awake = link_.awake_serial();
        auto answer = co_await operation();
        const bool busy = answer && answer->code == lwm2m::Status::service_unavailable;
        if (!busy && repeats < repeated(answer)) {
            const bool slept = co_await clock_.sleep_until(clock_.now() + first_pause * (1 << repeats++));
            if (!slept) co_return fail(Errc::cancelled, "waiting was cancelled");
            continue;
        }
        const bool patient = clock_.now() < deadline || (answer && clock_.now() < begun + longest_busy);
        if (answer && (!busy || !patient)) co_return answer;
        if (!answer && !away(answer.error())) co_return Failure(nonsense(answer.error()));
        if (!patient)
            co_return fail(Errc::device_absent,
                           fmt::format("expected an answer from {}, found silence", link_.endpoint()));
        if (link_.asleep() && wakings < ports::most_wakings) continue;
        // Once is a moment; twice in a row is a state.
        if (answer && ++refusals == 2 && busy_) {
            const auto end_what_keeps_it_busy = std::exchange(busy_, {});
            CO_TRY_VOID(co_await end_what_keeps_it_busy());
            continue;
        }
        const auto pause = answer ? busy_pause(*answer) : ask_again;
        const auto contact = co_await link_.await_awake(awake, clock_.now() + pause);
        if (!contact && contact.error().code() == Errc::cancelled) co_return Failure(contact.error());
    }
}

awaitable<Result<ports::Answer>> DeviceView::ask(lwm2m::Path path, lwm2m::Format accept) {
    const auto need = need_of(path);
    auto answer = co_await persist(need, [&] { return link_.read(path, accept); });
    if (need == Need::mandatory && answer && answer->code == lwm2m::Status::not_found) missing_.insert(path);
    // What resets every question for a resource does not have it.
    if (need == Need::optional && was_reset(answer)) co_return ports::Answer{lwm2m::Status::not_found, {}, {}};
    co_return answer;
}

awaitable<Result<std::optional<Bytes>>> DeviceView::value(lwm2m::Path path, lwm2m::Format accept) {
    CO_TRY(const auto answer, co_await ask(path, accept));
    if (!answer.ok()) co_return std::optional<Bytes>{};
    auto value = lwm2m::resource_value(path, answer.format, answer.payload);
    if (!value) co_return Failure(nonsense(value.error()));
    co_return std::optional<Bytes>(std::move(*value));
}

awaitable<Result<std::optional<std::int64_t>>> DeviceView::integer(lwm2m::Path path) {
    CO_TRY(const auto answer, co_await ask(path, lwm2m::Format::text));
    if (!answer.ok()) co_return std::optional<std::int64_t>{};
    CO_TRY(const auto value, told_integer(path, answer));
    co_return std::optional<std::int64_t>(value);
}

awaitable<Result<ports::Answer>> DeviceView::write(lwm2m::Path path, Bytes value, lwm2m::Format format) {
    co_return co_await persist(Need::act, [&] { return link_.write(path, value, format); });
}

awaitable<Result<ports::Answer>> DeviceView::execute(lwm2m::Path path) {
    co_return co_await persist(Need::act, [&] { return link_.execute(path, ""); });
}

awaitable<Result<std::optional<std::vector<lwm2m::Entry>>>> DeviceView::entries(lwm2m::Path path) {
    CO_TRY(const auto answer, co_await ask(path, lwm2m::Format::tlv));
    if (!answer.ok()) co_return std::optional<std::vector<lwm2m::Entry>>{};
    auto all = lwm2m::decode(path, answer.format, answer.payload);
    // A resource without instances is a list without entries.
    if (!all) co_return std::optional<std::vector<lwm2m::Entry>>{};
    co_return std::optional(std::move(*all));
}

awaitable<Result<std::optional<std::vector<std::int64_t>>>> DeviceView::integers(lwm2m::Path path) {
    CO_TRY(const auto all, co_await entries(path));
    if (!all) co_return std::optional<std::vector<std::int64_t>>{};
    std::vector<std::int64_t> out;
    for (const auto& entry : *all) {
        const auto value = lwm2m::as_type(entry.value, lwm2m::Type::integer);
        const auto* number = value ? std::get_if<std::int64_t>(&*value) : nullptr;
        if (number != nullptr) out.push_back(*number);
    }
    co_return std::optional(std::move(out));
}

awaitable<Result<DeliveryFacts>> DeviceView::delivery(bool protocols) {
    DeliveryFacts out;
    CO_TRY(out.delivery, co_await integer(object_.delivery()));
    if (!protocols || out.delivery == 1) co_return out;
    CO_TRY(out.protocols, co_await integers(object_.protocols()));
    co_return out;
}

awaitable<Result<bool>> DeviceView::automatic() {
    const auto* registration = link_.registration();
    // The number is another resource in 33629.
    if (object_.advanced() || registration == nullptr || !registration->parameters.has_version(object_.object, 1, 2))
        co_return false;
    CO_TRY(const auto all, co_await entries(object_.automatic()));
    if (!all || all->size() != 1) co_return false;
    const auto flag = lwm2m::as_type(all->front().value, lwm2m::Type::boolean);
    const auto* set = flag ? std::get_if<bool>(&*flag) : nullptr;
    if (set == nullptr) co_return false;
    co_return *set;
}

awaitable<Result<ConditionFacts>> DeviceView::condition(const Policy& policy) {
    ConditionFacts out;
    if (policy.min_battery) {
        CO_TRY(out.battery, co_await integer(lwm2m::device::battery));
    }
    if (policy.min_free_memory) {
        CO_TRY(out.free_memory, co_await integer(lwm2m::device::free_memory));
    }
    if (policy.refuse_device_errors) {
        CO_TRY(out.errors, co_await integers(lwm2m::device::error_codes));
    }
    co_return out;
}

awaitable<Result<>> DeviceView::refresh(DeviceFacts& facts) {
    CO_TRY(const auto state, co_await integer(object_.state()));
    if (!state)
        co_return fail(Errc::device_refused,
                       fmt::format("expected a firmware update object at {}, found none", object_.state().text()));
    facts.state = *state;
    CO_TRY(const auto result, co_await integer(object_.result()));
    facts.result = result.value_or(0);
    co_return Result<>{};
}

awaitable<Result<DeviceFacts>> DeviceView::facts() {
    namespace flash = lwm2m::external_flash;
    DeviceFacts out;
    CO_TRY_VOID(co_await refresh(out));
    CO_TRY(const auto version, co_await value(lwm2m::device::firmware_version, lwm2m::Format::text));
    if (version) out.version = as_text(*version);
    CO_TRY(const auto model, co_await value(lwm2m::device::model, lwm2m::Format::text));
    if (model) out.model = as_text(*model);
    if (object_.advanced()) {
        CO_TRY(const auto current, co_await value(object_.current_version(), lwm2m::Format::text));
        if (current) out.component_version = std::string(as_text(*current));
    }
    if (!link_.registration() || !link_.registration()->parameters.has_object(flash::object)) co_return out;
    CO_TRY(out.running_hash, co_await value(flash::running_hash, lwm2m::Format::opaque));
    // Nothing was told: what is proven then is not proven by the hash.
    if (out.running_hash && out.running_hash->empty()) out.running_hash.reset();
    CO_TRY(out.stored_hash, co_await value(flash::stored_hash, lwm2m::Format::opaque));
    const auto number = [this](lwm2m::Path path) -> awaitable<Result<std::optional<std::uint64_t>>> {
        CO_TRY(const auto value, co_await integer(path));
        if (!value || *value < 0) co_return std::optional<std::uint64_t>{};
        co_return std::optional<std::uint64_t>(static_cast<std::uint64_t>(*value));
    };
    CO_TRY(out.stored_bytes, co_await number(flash::stored_bytes));
    CO_TRY(out.primary_size, co_await number(flash::primary_size));
    CO_TRY(out.secondary_size, co_await number(flash::secondary_size));
    CO_TRY(out.flash_size, co_await number(flash::size));
    CO_TRY(out.bootloader_version, co_await number(flash::bootloader_version));
    CO_TRY(out.bootloader_slot, co_await number(flash::bootloader_slot));
    CO_TRY(out.jedec_id, co_await value(flash::jedec_id, lwm2m::Format::opaque));
    CO_TRY(const auto mode, co_await value(flash::boot_mode, lwm2m::Format::text));
    if (mode) out.boot_mode = std::string(as_text(*mode));
    co_return out;
}

}  // namespace fota::update
